import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { lockDataDir } from '../admin/data-dir.ts'

const BIN = fileURLToPath(new URL('../../bin/footbridge.mjs', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'footbridge-cli-'))
afterAll(() => rmSync(folder, { recursive: true }))
const DATA = ['--data-dir', join(folder, 'data')]

interface Result {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** The real command in a process of its own. */
function footbridge(args: readonly string[], env: Record<string, string> = {}): Promise<Result> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [BIN, ...args], { env: { PATH: process.env['PATH'] ?? '', ...env } })
    let out = ''
    let err = ''
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()))
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, out, err }))
  })
}

const oneLine = (text: RegExp) => ({
  code: 1,
  out: '',
  err: expect.stringMatching(new RegExp(`^footbridge: [^\\n]*${text.source}[^\\n]*\\n$`)),
})

describe('what cannot work is told in one line, with exit code 1', () => {
  const file = join(folder, 'file')
  writeFileSync(file, '')
  const misspelt = join(folder, 'misspelt.toml')
  writeFileSync(misspelt, 'prot = 9000\n')
  const unusable = join(folder, 'unusable.toml')
  writeFileSync(unusable, 'port = "many"\n')

  it.each<[string, string[], Record<string, string>, RegExp]>([
    ['an unknown flag', ['--prot', '1'], {}, /unknown option '--prot' \(Did you mean --port\?\)/],
    ['an unknown command', ['tokens'], {}, /there is no such command/],
    ['an unknown variable', ['token', 'list', ...DATA], { FOOTBRIDGE_PROT: '1' }, /FOOTBRIDGE_PROT is not a setting/],
    ['a bad value', ['--port', 'x', ...DATA], {}, /--port "x" must be/],
    ['a config file that is not there', ['--config', '/nope.toml'], {}, /--config \/nope\.toml cannot be read .there is no such file/],
    ['a config file of a variable', ['token', 'list'], { FOOTBRIDGE_CONFIG: misspelt }, /prot is not a setting.* did you mean port\?/],
    ['a config file whose value is bad, for any command', ['peers', '--config', unusable], {}, /unusable\.toml: port "many" must be/],
    ['a flag of the bridge at a role', ['relay', '--guests'], {}, /unknown option '--guests'/],
    ['a variable of the bridge at a role', ['rendezvous'], { FOOTBRIDGE_GUESTS: '1' }, /FOOTBRIDGE_GUESTS is not a setting/],
    ['a data folder that is a file', ['--data-dir', file], {}, /cannot write to the data folder .* --data-dir/],
    ['a certificate that is not there', ['--tls-cert', '/nope', '--tls-key', '/nope', ...DATA], {}, /--tls-cert .*no such file/],
    ['peers without a bridge', ['peers', ...DATA], {}, /no bridge is running/],
    ['status without a bridge', ['status', ...DATA], {}, /no bridge is running/],
    [
      'limits of nobody',
      ['limits', 'set', 'planet', '--circuits', '1', ...DATA],
      {},
      /"planet" has no limits: give one of peer, address, bridge/,
    ],
    ['a change of nothing', ['limits', 'set', 'bridge', ...DATA], {}, /nothing to change/],
    ['a token that is not there', ['token', 'revoke', 't_nothing', ...DATA], {}, /no token has the id or label "t_nothing"/],
    ['a limit that is none', ['token', 'create', '--per-day', 'lots', ...DATA], {}, /--per-day "lots" must be/],
  ])('%s', async (_what, args, env, line) => {
    expect(await footbridge(args, env)).toEqual(oneLine(line))
  })

  it('a port that is taken', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    expect(await footbridge(['--port', String(port), ...DATA])).toEqual(oneLine(new RegExp(`port ${port} on 127.0.0.1 is taken.*--port`)))
    await new Promise((resolve) => server.close(resolve))
  })

  it('a data folder that another process holds', async () => {
    const dataDir = mkdtempSync(join(folder, 'held-'))
    const lock = lockDataDir(dataDir, 0)
    expect(await footbridge(['--port', '0', '--data-dir', dataDir])).toEqual(oneLine(/another bridge is running/))
    lock?.release()
  })
})

describe('tokens without a bridge', () => {
  // Several processes one after another, on a machine that may be busy.
  it('are made, shown once, listed and revoked by label', { timeout: 30_000 }, async () => {
    const data = ['--data-dir', mkdtempSync(join(folder, 'tokens-'))]
    const limits = ['--label', 'Alice', '--expires', '30d', '--devices', '2', '--per-day', '1GB', '--rate', '2MB/s']
    const created = await footbridge(['token', 'create', ...limits, ...data])
    expect(created.out).toMatch(/Made t_\w{8} for Alice: 2 devices, 1 GB relayed a day, 2 MB\/s, expires/)
    expect(created.out).toMatch(/http:\/\/localhost:8080\/#token=fb1_[\w-]{43}\n/)

    const listed = await footbridge(['token', 'list', ...data])
    expect(listed.out).toMatch(
      /ID +LABEL +STATE +DEVICES +RELAYED TODAY +RATE +EXPIRES\nt_\w{8} +Alice +active +0 \/ 2 +0 B \/ 1 GB +2 MB\/s/,
    )
    expect(listed.out).not.toContain('fb1_')

    const limited = await footbridge(['token', 'limit', 'Alice', '--circuits', '20', '--circuit-rate', '60', '--per-day', 'none', ...data])
    expect(limited.out).toMatch(
      /^t_\w{8} \(Alice\) may use: 2 devices, no daily limit, 2 MB\/s, circuits: 20 at once, 60 a minute, expires/,
    )
    await footbridge(['token', 'limit', 'Alice', '--per-day', '1GB', ...data])

    expect(await footbridge(['token', 'revoke', 'Alice', ...data])).toMatchObject({ code: 0 })
    const shown = await footbridge(['token', 'show', 'Alice', '--json', ...data])
    expect(JSON.parse(shown.out)).toMatchObject({
      label: 'Alice',
      state: 'revoked',
      maxDevices: 2,
      maxCircuits: 20,
      bytesPerDay: 1e9,
      bytesPerSecond: 2e6,
    })
    expect(shown.out).not.toContain('hash')
  })
})

describe('the doctor without a bridge', () => {
  it('checks what it can, and ends with 1 only if there is an error', { timeout: 30_000 }, async () => {
    const dataDir = join(folder, 'doctor')
    const healthy = await footbridge(['doctor', '--json', '--wt-port', 'off', '--data-dir', dataDir])
    const { errors, findings } = JSON.parse(healthy.out) as { errors: number; findings: { id: string; state: string }[] }
    expect(findings).toContainEqual(expect.objectContaining({ id: 'running', state: 'unknown' }))
    expect([healthy.code, healthy.err]).toEqual([errors === 0 ? 0 : 1, ''])
    const certificate = ['--tls-cert', '/nowhere', '--tls-key', '/nowhere']
    const ill = await footbridge(['doctor', '--data-dir', dataDir, ...certificate])
    expect(ill.code).toBe(1)
    expect(ill.out).toMatch(
      /Certificate\n {2}✗ files +\/nowhere or \/nowhere cannot be used: ENOENT.*\n +→ give PEM files that this user may read\n/,
    )
    expect(ill.out).toMatch(/\n[1-9] errors?, /)
  })
})

describe('a config file', () => {
  it('says where the data are and how links begin, to every command; flags win over it', { timeout: 30_000 }, async () => {
    const file = join(folder, 'whole.toml')
    writeFileSync(file, `data-dir = ${JSON.stringify(mkdtempSync(join(folder, 'config-')))}\npublic-url = "https://bridge.example"\n`)
    const created = await footbridge(['token', 'create', '--label', 'Bob', '--config', file])
    expect(created.out).toContain('https://bridge.example/#token=fb1_')
    expect((await footbridge(['token', 'list', '--config', file])).out).toContain('Bob')
    const elsewhere = ['--data-dir', mkdtempSync(join(folder, 'elsewhere-'))]
    expect((await footbridge(['token', 'list', '--config', file, ...elsewhere])).out).not.toContain('Bob')
  })
})

describe('limits without a bridge', () => {
  it('are shown, changed, and kept', { timeout: 30_000 }, async () => {
    const data = ['--data-dir', mkdtempSync(join(folder, 'limits-'))]
    expect((await footbridge(['limits', ...data])).out).toMatch(/the bridge +10000 +4096 +12000 +no limit +no limit\n/)
    await footbridge(['limits', 'set', 'bridge', '--rate', '50MB/s', '--per-day', '1TB', '--circuits', '100', ...data])
    await footbridge(['limits', 'set', 'bridge', '--per-day', 'none', ...data])
    expect((await footbridge(['limits', 'show', ...data])).out).toMatch(/the bridge +10000 +100 +12000 +50 MB\/s +no limit\n/)
  })
})
