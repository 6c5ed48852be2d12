import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createMemoryStorage } from '@footbridge/storage/memory/memory-storage'
import { afterAll, describe, expect, it } from 'vitest'
import { createTokens } from '../auth/tokens.ts'
import { createRegistry } from '../peers/registry.ts'
import { createCounters } from '../relay/counters.ts'
import { createRelayLimitSettings } from '../relay-limits.ts'
import { createControlClient } from './control-client.ts'
import { controlPath } from './control-path.ts'
import { createControlServer } from './control-server.ts'
import { lockDataDir, prepareDataDir } from './data-dir.ts'
import { createAdminRoutes } from './routes.ts'

const folder = mkdtempSync(join(tmpdir(), 'footbridge-control-'))
afterAll(() => rmSync(folder, { recursive: true }))

const OPEN = { label: 'alice', expiresAt: null, maxDevices: null, bytesPerDay: null, bytesPerSecond: null }
const limits = { maxReservations: null, maxCircuits: null, circuitsPerMinute: null, bytesPerDay: null, bytesPerSecond: null }
const grant = { peer: 'alice', tokenId: 't_1', tokenLabel: 'one', guest: false, name: '', ...limits }

async function open(path: string) {
  const registry = createRegistry({ clock: () => 0, connectionsOf: () => 0 })
  const storage = createMemoryStorage()
  const tokens = createTokens({ storage, clock: () => 0, randomBytes })
  const relayLimits = createRelayLimitSettings({ storage })
  const relay = { counters: () => createCounters().read() }
  const describeBridge = () => ({ url: 'http://localhost:8080', peer: 'bridge', version: '0' })
  const doctor = {
    sightings: { open: () => 'a sighting', take: (id: string) => (id === 'a sighting' ? { client: 'alice' } : undefined) },
    diagnose: () => Promise.reject(new Error('not asked for here')),
  }
  const app = createAdminRoutes({
    tokens,
    registry,
    relay,
    relayLimits,
    relayAddresses: () => ['/dns4/bridge'],
    describe: describeBridge,
    network: () => ({ localPeer: 'bridge' }),
    ...doctor,
  })
  const server = createControlServer({ app, path })
  await server.start()
  return { registry, tokens, server, client: createControlClient(path) }
}

describe('the control socket', () => {
  it('is for its owner alone, and clears away what a dead bridge left', async () => {
    const path = join(folder, 'a.sock')
    writeFileSync(path, 'left over')
    const { server, client } = await open(path)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(await client.describe()).toMatchObject({ peer: 'bridge' })
    await server.stop()
    await server.stop()
    await expect(client.describe()).rejects.toMatchObject({ code: 'unreachable' })
  })

  it('makes, lists and revokes tokens, and tells refusals by their code', async () => {
    const { server, client } = await open(join(folder, 'b.sock'))
    const { id, token } = await client.createToken(OPEN)
    expect(token).toMatch(/^fb1_/)
    expect(await client.listTokens()).toEqual([expect.objectContaining({ id, state: 'active', devices: [] })])
    expect(JSON.stringify(await client.listTokens())).not.toContain('hash')
    await client.revokeToken(id)
    expect((await client.listTokens())[0]?.state).toBe('revoked')
    await expect(client.revokeToken('t_nothing')).rejects.toMatchObject({ code: 'not_found' })
    await expect(client.createToken({ ...OPEN, label: '' })).rejects.toMatchObject({ code: 'bad_request' })
    await server.stop()
  })

  it('changes the limits of a token and of the bridge, and shows what is in force', async () => {
    const { server, client } = await open(join(folder, 'd.sock'))
    const { id } = await client.createToken(OPEN)
    expect(await client.limitToken(id, { maxCircuits: 7, bytesPerSecond: 1_000 })).toMatchObject({
      id,
      maxCircuits: 7,
      bytesPerSecond: 1_000,
    })
    expect(await client.limitToken(id, { maxCircuits: null })).toMatchObject({ maxCircuits: null, bytesPerSecond: 1_000, maxDevices: null })
    await expect(client.limitToken('t_nothing', {})).rejects.toMatchObject({ code: 'not_found' })
    await expect(client.limitToken(id, { maxCircuits: 0.5 })).rejects.toMatchObject({ code: 'bad_request' })

    const { bridge } = await client.changeLimits('bridge', { circuits: 9, bytesPerSecond: null })
    expect(bridge).toMatchObject({ circuits: 9, bytesPerSecond: null })
    expect((await client.limits()).bridge).toEqual(bridge)
    await expect(client.changeLimits('bridge', { circuits: -1 })).rejects.toMatchObject({ code: 'bad_request' })
    await expect(client.changeLimits('peer', { reservations: 2 })).rejects.toMatchObject({ code: 'bad_request' })

    expect(await client.status()).toMatchObject({ peer: 'bridge', sessions: { reachable: 0 }, relay: { circuits: 0 }, tokens: {} })
    await server.stop()
  })

  it('shows every change of peers, and ends its watchers as it stops', async () => {
    const { server, client, registry } = await open(join(folder, 'c.sock'))
    const updates = client.watchPeers()[Symbol.asyncIterator]()
    expect((await updates.next()).value).toEqual([])
    registry.admit({ ...grant, expiresAt: 1_000 })
    expect((await updates.next()).value).toMatchObject([{ peer: 'alice', state: 'admitted', addresses: [] }])
    registry.end('alice', 'revoked')
    expect((await updates.next()).value).toEqual([])
    await server.stop()
    expect(await updates.next()).toMatchObject({ done: true })
  })

  it('moves to the temporary folder when the path is too long, one name for one data folder', () => {
    const tempDir = mkdtempSync(join(folder, 'tmp-'))
    const context = { tempDir, userId: process.getuid?.() }
    const long = `/${'x'.repeat(120)}`
    expect(controlPath('/srv/bridge', context)).toBe('/srv/bridge/control.sock')
    expect(controlPath(long, context)).toBe(controlPath(long, context))
    expect(controlPath(long, context)).not.toBe(controlPath(`${long}y`, context))
    expect(Buffer.byteLength(controlPath(long, { ...context, tempDir }).replace(tempDir, '/tmp'))).toBeLessThanOrEqual(100)
  })

  it('refuses a temporary folder that others can write to', () => {
    const tempDir = mkdtempSync(join(folder, 'tmp-'))
    const userId = process.getuid?.()
    mkdirSync(join(tempDir, `footbridge-${userId ?? 'user'}`), { mode: 0o755 })
    expect(() => controlPath(`/${'x'.repeat(120)}`, { tempDir, userId })).toThrow('not a folder of yours alone')
  })
})

describe('the data folder', () => {
  it('is made for its owner alone', () => {
    const path = prepareDataDir(join(folder, 'new', 'data'))
    expect(statSync(path).mode & 0o777).toBe(0o700)
  })

  it('is held by one at a time', () => {
    const dataDir = mkdtempSync(join(folder, 'lock-'))
    const first = lockDataDir(dataDir, 0)
    expect(first).toBeDefined()
    expect(lockDataDir(dataDir, 0)).toBeUndefined()
    first?.release()
    first?.release()
    expect(lockDataDir(dataDir, 0)).toBeDefined()
  })

  it.skipIf(process.platform !== 'linux')('that no system has a place for is refused, not waited for', () => {
    expect(() => prepareDataDir('/proc/nope')).toThrow('cannot write to the data folder /proc/nope')
  })
})
