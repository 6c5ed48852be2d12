/**
 * The doctor beside whole bridges: healthy ones, and ones with a fault each. Behind a real nginx, with a real TURN server: doctor.slow.test.ts.
 */
import { createSocket } from 'node:dgram'
import { chmod } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { createBench } from '../test-bridge.ts'
import { formatFindings } from '../cli/doctor-command.ts'
import { kindOf } from './addresses.ts'
import { checkCertificate } from './certificate.ts'
import { checkClock } from './clock.ts'
import type { Finding } from './finding.ts'
import { judge } from './proxy.ts'
import { complaints, examine } from './test-operator.ts'

const bench = createBench()
afterEach(() => bench.end())

const fixture = (name: string): string => fileURLToPath(new URL(`../http/fixtures/${name}`, import.meta.url))
const named = (findings: readonly Finding[], id: string): Finding[] => findings.filter((finding) => finding.id === id)
const HOUR = 3_600_000

describe('beside a healthy bridge', () => {
  it('finds every port answering, to the end of noise where there is noise, and nothing wrong', async () => {
    const bridge = await bench.startBridge()
    const findings = await examine(bridge)
    expect(complaints(findings)).toEqual(['clock/clock unknown'])
    for (const id of ['websocket', 'native']) expect(named(findings, id)[0]?.found).toMatch(/^TCP \d+ answers, noise handshake in \d+ ms$/)
    expect(named(findings, 'stun').map(({ found }) => found)).toEqual(bridge.stunPorts.map((port) => `UDP ${port} answers`))
    const announced = named(findings, 'announced').map(({ found }) => found)
    for (const kind of ['tcp/\\d+', 'quic-v1', 'webrtc-direct']) expect(announced).toContainEqual(expect.stringMatching(`${kind} answers`))
  })

  it('leaves no session and no usable token behind', async () => {
    const bridge = await bench.startBridge()
    await examine(bridge)
    expect(bridge.registry.list()).toEqual([])
    const tokens = await bridge.tokens.list()
    expect(tokens.filter(({ state }) => state === 'active').map(({ record }) => record.label)).toEqual(['first'])
    expect(tokens.find(({ record }) => record.label === 'footbridge doctor')?.record).toMatchObject({ guest: true })
  })

  it('looks through the public address as well', async () => {
    const port = String(await freePort())
    const bridge = await bench.startBridge({ port, publicUrl: `http://localhost:${port}` })
    const findings = await examine(bridge)
    // A name that only this machine knows is no fault of the rest.
    expect(complaints(findings)).toEqual(['clock/clock unknown', 'public/name warning', 'public/announced warning'])
    for (const id of ['identity', 'upgrade', 'first-hop', 'forwarded', 'streams', 'bodies'])
      expect(named(findings, id).map(({ state }) => state)).not.toEqual([])
  })
})

describe('finds', () => {
  it('a UDP port that is closed where browsers are told of it, and an announced address that does not answer', async () => {
    const port = await freePort()
    const bridge = await bench.startBridge({
      port: String(port),
      publicUrl: `http://127.0.0.1:${port}`,
      announceAddrs: '/ip4/127.0.0.2/tcp/9',
    })
    const findings = await examine(bridge)
    expect(findings.filter(({ area, id }) => area === 'public' && id === 'stun')).toMatchObject([
      {
        state: 'warning',
        found: `stun:127.0.0.2:${bridge.stunPorts[0]}: no answer`,
        advice: expect.stringContaining('through the firewall'),
      },
      { state: 'warning' },
    ])
    expect(named(findings, 'announced')).toMatchObject([
      { state: 'error', found: expect.stringContaining('/ip4/127.0.0.2/tcp/9 does not answer') },
    ])
  })

  it('an announced address where something else answers', async () => {
    const web = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve))
    bench.cleanups.push(() => void web.close())
    const { port } = web.address() as AddressInfo
    const bridge = await bench.startBridge({ announceAddrs: `/ip4/127.0.0.1/tcp/${port}` })
    expect(named(await examine(bridge), 'announced')).toMatchObject([{ state: 'error', found: expect.stringContaining('does not answer') }])
  })

  it('a UDP port that another program has', async () => {
    const taken = createSocket('udp4')
    await new Promise<void>((resolve) => taken.bind(0, '127.0.0.1', resolve))
    bench.cleanups.push(() => void taken.close())
    const bridge = await bench.startBridge({ p2pPort: String(taken.address().port) })
    expect(named(await examine(bridge), 'stun').at(-1)).toMatchObject({
      state: 'warning',
      found: expect.stringContaining('one UDP port instead of two'),
    })
  })

  it('a public address where nothing, or another bridge, answers', async () => {
    const nobody = await bench.startBridge({ publicUrl: `http://127.0.0.1:${await freePort()}` })
    const findings = await examine(nobody)
    expect(complaints(findings)).toEqual(expect.arrayContaining(['public/login error', 'public/identity error', 'public/upgrade error']))
    // The ports are looked at all the same.
    expect(findings.filter(({ area }) => area === 'ports').map(({ state }) => state)).not.toContain('error')
    const other = await bench.startBridge()
    const lost = await bench.startBridge({ publicUrl: `http://127.0.0.1:${new URL(other.url).port}` })
    expect(named(await examine(lost), 'identity')[0]).toMatchObject({
      state: 'error',
      found: expect.stringContaining(`another bridge: ${other.peer}`),
    })
  })

  it('a key that others can read', async () => {
    const bridge = await bench.startBridge()
    const { dataDir } = ((await (await bridge.admin.request('/diagnosis')).json()) as { settings: { dataDir: string } }).settings
    await chmod(join(dataDir, 'identity.key'), 0o644)
    expect(named(await examine(bridge), 'data-folder')).toMatchObject([{ state: 'error', advice: expect.stringContaining('chmod 600') }])
  })

  it('a name that leads nowhere', async () => {
    const bridge = await bench.startBridge({ publicUrl: 'https://bridge.invalid' })
    expect(named(await examine(bridge), 'name')).toMatchObject([{ state: 'error', advice: expect.stringContaining('bridge.invalid') }])
  })
})

it('without a bridge says that one is needed, and checks the rest', async () => {
  const bridge = await bench.startBridge()
  const findings = await examine(bridge, { bridge: undefined, nodeVersion: '22.1.0' })
  expect(complaints(findings)).toEqual(['machine/node error', 'clock/clock unknown', 'ports/running unknown'])
})

describe('the clock', () => {
  /** An SNTP server whose clock is so far ahead of ours. */
  async function startTimeServer(aheadMs: number): Promise<string> {
    const server = createSocket('udp4')
    await new Promise<void>((resolve) => server.bind(0, '127.0.0.1', resolve))
    bench.cleanups.push(() => void server.close())
    server.on('message', (request, from) => {
      const answer = Buffer.alloc(48)
      answer[0] = 0x24
      answer[1] = 2
      request.copy(answer, 24, 40, 48)
      for (const offset of [32, 40]) answer.writeUInt32BE(Math.floor((Date.now() + aheadMs) / 1_000) + 2_208_988_800, offset)
      server.send(answer, from.port, from.address)
    })
    return `127.0.0.1:${server.address().port}`
  }

  it.each([
    [0, 'ok', 'agrees with'],
    [20_000, 'warning', 's behind'],
    [HOUR, 'error', 's behind'],
    [-HOUR, 'error', 's ahead of'],
  ])('of a time server that is %i ms ahead: %s', async (aheadMs, state, found) => {
    const server = await startTimeServer(aheadMs)
    expect(await checkClock(Date.now, server, undefined)).toMatchObject({ state, found: expect.stringContaining(found) })
  })

  it('is compared with another machine’s Date, else with nothing, and says so', async () => {
    expect(await checkClock(() => 0, undefined, { time: HOUR, name: 'bridge.example' })).toMatchObject({ state: 'error' })
    expect(await checkClock(() => 0, undefined, { time: 3_000, name: 'bridge.example' })).toMatchObject({ state: 'ok' })
    expect(await checkClock(Date.now, undefined, undefined)).toMatchObject({
      state: 'unknown',
      advice: expect.stringContaining('--time-server'),
    })
  })
})

describe('a certificate', () => {
  const tls = { certFile: fixture('first-cert.pem'), keyFile: fixture('first-key.pem') }
  const files = (question: Partial<Parameters<typeof checkCertificate>[0]>): Promise<Finding[]> =>
    checkCertificate({ tls, publicUrl: undefined, localPort: undefined, localHost: '127.0.0.1', now: Date.UTC(2026, 11, 1), ...question })

  it.each([
    ['that is good', {}, 'ok', 'valid until 2126-10-28'],
    ['with another’s key', { tls: { ...tls, keyFile: fixture('second-key.pem') } }, 'error', 'is not the key of'],
    ['that is not there', { tls: { ...tls, certFile: '/nowhere' } }, 'error', 'cannot be used'],
    ['that has expired', { now: Date.UTC(2127, 0, 1) }, 'error', 'expired on 2126-10-28'],
    ['that soon expires', { now: Date.UTC(2126, 9, 20) }, 'warning', 'expires in 8 days'],
    ['that is not valid yet', { now: 0 }, 'error', 'not valid before'],
  ] as const)('%s', async (_what, question, state, found) => {
    expect(await files(question)).toMatchObject([{ state, found: expect.stringContaining(found) }])
  })

  it('for another name, and one that no browser knows, are seen where they are served', async () => {
    const port = String(await freePort())
    const bridge = await bench.startBridge({ port, tlsCert: tls.certFile, tlsKey: tls.keyFile, publicUrl: `https://localhost:${port}` })
    const findings = await examine(bridge)
    expect(findings.filter(({ area }) => area === 'certificate')).toMatchObject([
      { id: 'certificate-files', state: 'ok' },
      { id: 'certificate-in-use', state: 'ok' },
      { id: 'certificate-served', state: 'error', found: 'browsers refuse it: it is self-signed' },
    ])
    expect(named(findings, 'websocket')).toMatchObject([{ state: 'ok' }])
    const [ip] = await files({ publicUrl: 'https://127.0.0.1' })
    expect(ip).toMatchObject({ state: 'ok' })
    expect((await files({ publicUrl: 'https://bridge.invalid' }))[0]).toMatchObject({
      state: 'error',
      found: expect.stringContaining('not for bridge.invalid'),
    })
  })
})

describe('a proxy', () => {
  const seen = {
    socketAddress: '192.0.2.9',
    forwardedFor: undefined,
    forwardedProto: undefined,
    forwarded: undefined,
    host: 'bridge.example',
  }
  const PUBLIC = 'https://bridge.example'

  it.each([
    ['none', { ...seen, client: { ip: '192.0.2.9', origin: PUBLIC } }, [], ['ok']],
    ['that says nothing', { ...seen, client: { ip: '192.0.2.9', origin: 'http://bridge.example' } }, ['192.0.2.9'], ['error', 'error']],
    [
      'that is not trusted',
      { ...seen, forwardedFor: '198.51.100.1', forwardedProto: 'https', client: { ip: '192.0.2.9', origin: 'http://bridge.example' } },
      [],
      ['error'],
    ],
    [
      'that forgets the scheme',
      { ...seen, forwardedFor: '198.51.100.1', client: { ip: '198.51.100.1', origin: 'http://bridge.example' } },
      ['192.0.2.9'],
      ['error'],
    ],
    [
      'that changes the host',
      {
        ...seen,
        forwardedFor: '198.51.100.1',
        forwardedProto: 'https',
        host: '127.0.0.1:8080',
        client: { ip: '198.51.100.1', origin: 'https://127.0.0.1:8080' },
      },
      ['192.0.2.9'],
      ['warning'],
    ],
    [
      'that does it all',
      { ...seen, forwardedFor: '198.51.100.1', forwardedProto: 'https', client: { ip: '198.51.100.1', origin: PUBLIC } },
      ['192.0.2.9'],
      ['ok'],
    ],
  ])('%s', (_what, sighting, trusted, states) => {
    expect(judge(sighting, PUBLIC, trusted).map(({ state }) => state)).toEqual(states)
  })
})

it('kinds of addresses are told apart', () => {
  const kinds = [
    '127.0.0.1',
    '::1',
    '10.1.2.3',
    '100.64.0.1',
    '192.168.1.1',
    'fd00::1',
    '169.254.1.1',
    'fe80::1',
    '0.0.0.0',
    '192.0.2.1',
    '2001:db8::1',
  ]
  expect(kinds.map(kindOf)).toEqual([
    'loopback',
    'loopback',
    'private',
    'private',
    'private',
    'private',
    'link-local',
    'link-local',
    'none',
    'public',
    'public',
  ])
})

it('is told in lines that a person reads: what, what was found, what to do', () => {
  const findings: Finding[] = [
    { area: 'machine', id: 'node', what: 'Node', state: 'ok', found: '24.1.0' },
    { area: 'ports', id: 'native', what: 'native peers', state: 'error', found: 'TCP 8081: no answer', advice: 'see the log' },
    { area: 'ports', id: 'stun', what: 'STUN', state: 'warning', found: 'one', advice: 'two' },
  ]
  expect(formatFindings('https://bridge.example', findings, false)).toBe(`
https://bridge.example

This machine
  ✓ Node          24.1.0

Ports, on this machine
  ✗ native peers  TCP 8081: no answer
                  → see the log
  ! STUN          one
                  → two

1 error, 1 warning.
`)
})

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
