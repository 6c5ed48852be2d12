import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, describe, expect, it } from 'vitest'
import { device, storageContract, token } from '../contract/storage-contract.ts'
import { openSqliteStorage } from './sqlite-storage.ts'

const folder = mkdtempSync(join(tmpdir(), 'footbridge-sqlite-'))
afterAll(() => rmSync(folder, { recursive: true }))
let files = 0
const newPath = (): string => join(folder, `${files++}.db`)

storageContract('sqlite', () => openSqliteStorage(newPath()))

describe('a SQLite file', () => {
  it('keeps everything over a reopening', async () => {
    const path = newPath()
    const first = openSqliteStorage(path)
    await first.tokens.insert(token('t_1', { maxDevices: 2 }))
    await first.devices.enrol(device('alice', 't_1'), 2)
    await first.usage.add('t_1', '2026-11-21', 5)
    await first.close()
    const second = openSqliteStorage(path)
    expect(await second.tokens.list()).toEqual([token('t_1', { maxDevices: 2 })])
    expect(await second.devices.get('alice')).toEqual(device('alice', 't_1'))
    expect(await second.usage.get('t_1', '2026-11-21')).toBe(5)
    await second.close()
  })

  it('is for its owner alone, side files included', async () => {
    const path = newPath()
    const storage = openSqliteStorage(path)
    await storage.tokens.insert(token('t_1'))
    for (const file of [path, `${path}-wal`, `${path}-shm`]) expect(statSync(file).mode & 0o777).toBe(0o600)
    await storage.close()
  })

  it('is shared by two openers, as a bridge and a command line do', async () => {
    const path = newPath()
    const bridge = openSqliteStorage(path)
    const command = openSqliteStorage(path)
    await command.tokens.insert(token('t_1'))
    expect(await bridge.tokens.get('t_1')).toEqual(token('t_1'))
    await command.close()
    await bridge.close()
  })

  it('is refused when a newer Footbridge wrote it', async () => {
    const path = newPath()
    await openSqliteStorage(path).close()
    const database = new DatabaseSync(path)
    database.exec('INSERT INTO schema_version (version, applied_at) VALUES (999, 0)')
    database.close()
    expect(() => openSqliteStorage(path)).toThrow('use the newer Footbridge')
  })

  it('is refused when it is something else', () => {
    const path = newPath()
    writeFileSync(path, 'this is not a database, and long enough to be looked at '.repeat(40))
    expect(() => openSqliteStorage(path)).toThrow('not a database')
  })
})
