/** The relay alone, as stock js-libp2p peers meet it. */
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { byteStream } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, expect, it, vi } from 'vitest'
import { readRelayConfig } from './role-config.ts'
import { createRelayRole, type RelayServices } from './relay-role.ts'
import type { RunningRole } from './role.ts'
import { createRoleBench } from './test-roles.ts'

// Whole nodes take seconds on a machine that is busy.
vi.setConfig({ testTimeout: 60_000 })

const bench = createRoleBench()
afterEach(() => bench.end())

const startRelay = async (settings: Record<string, string> = {}): Promise<RunningRole<RelayServices>> =>
  bench.start(createRelayRole(readRelayConfig({ port: '0', p2pPort: '0', dataDir: await bench.dataDir(), ...settings }, {}), bench.parts))

const addressBy = (relay: RunningRole<RelayServices>, transport: RegExp): string =>
  relay.addresses.find((address) => transport.test(address))!
const read = async (relay: RunningRole<RelayServices>, path: string): Promise<string> =>
  (await fetch(`http://127.0.0.1:${relay.port}${path}`)).text()

it.each([
  ['TCP', /\/tcp\/\d+\/p2p\//],
  ['QUIC', /\/quic-v1\/p2p\//],
  ['WebSocket', /\/ws\/p2p\//],
])('a stock peer reserves over %s, is called by another, and the metrics say so', async (_, transport) => {
  const relay = await startRelay()
  const alice = await bench.startPeer([`${addressBy(relay, transport)}/p2p-circuit`])
  const bob = await bench.startPeer()
  await bob.dial(multiaddr(`${addressBy(relay, /\/tcp\/\d+\/p2p\//)}/p2p-circuit/p2p/${alice.peerId.toString()}`))
  expect(relay.node.services.relay.circuits()).toHaveLength(1)
  const metrics = await read(relay, '/metrics')
  for (const line of [
    'relay_reservations_total{result="accepted",status="OK"} 1',
    'relay_circuits_total{result="accepted",status="OK"} 1',
    'relay_listen_events_total 3',
    'footbridge_relay_circuits 1',
  ])
    expect(metrics).toContain(`${line}\n`)
  expect(metrics).not.toContain('footbridge_first_hops_total')
  expect(metrics).not.toContain(alice.peerId.toString())
})

it('peers that decide by Identify know it for a relay, and it answers pings', async () => {
  const relay = await startRelay()
  // A bare /p2p-circuit: the stock client looks among the peers that it has met for one that Identify says relays.
  const alice = await bench.startPeer(['/p2p-circuit'])
  await alice.dial(multiaddr(relay.addresses[0]!))
  await vi.waitFor(() => expect(alice.getMultiaddrs().map(String)).toContainEqual(expect.stringContaining(`${relay.peer}/p2p-circuit`)), {
    timeout: 20_000,
  })
  expect(await alice.services.ping.ping(multiaddr(relay.addresses[0]!))).toBeGreaterThanOrEqual(0)
  const known = await alice.peerStore.get(relay.node.peerId)
  expect(new TextDecoder().decode(known.metadata.get('AgentVersion'))).toBe('footbridge/0.0.0')
})

it('with --allow it lets listed peers reserve and nobody else, and anybody may call them', async () => {
  const key = await generateKeyPair('Ed25519')
  const relay = await startRelay({ allow: peerIdFromPrivateKey(key).toString() })
  await expect(bench.startPeer([`${relay.addresses[0]!}/p2p-circuit`])).rejects.toThrow()
  expect(await read(relay, '/metrics')).toMatch(/relay_reservations_total\{result="denied",status="PERMISSION_DENIED"\} [1-9]/)
  const alice = await bench.startPeer([`${relay.addresses[0]!}/p2p-circuit`], key)
  const bob = await bench.startPeer()
  const connection = await bob.dial(multiaddr(`${relay.addresses[0]!}/p2p-circuit/p2p/${alice.peerId.toString()}`))
  expect(connection.remotePeer.equals(alice.peerId)).toBe(true)
})

it('ends a circuit that has carried what it may', async () => {
  const relay = await startRelay({ circuitBytes: '50kB' })
  const alice = await bench.startPeer([`${relay.addresses[0]!}/p2p-circuit`])
  let received = 0
  await alice.handle(
    '/sink',
    (stream) => {
      stream.addEventListener('message', ({ data }) => {
        received += data.byteLength
      })
    },
    { runOnLimitedConnection: true },
  )
  const bob = await bench.startPeer()
  const connection = await bob.dial(multiaddr(`${relay.addresses[0]!}/p2p-circuit/p2p/${alice.peerId.toString()}`))
  // Told on the wire, and lessened by what the handshake took.
  expect(connection.limits?.bytes).toBeLessThanOrEqual(50_000n)
  const bytes = byteStream(await connection.newStream('/sink', { runOnLimitedConnection: true }))
  const ended = new Promise((resolve) => connection.addEventListener('close', resolve, { once: true }))
  bytes.write(new Uint8Array(100_000)).catch(() => {})
  await ended
  expect(received).toBeLessThanOrEqual(50_000)
  expect(relay.node.services.relay.totals().circuitsCut).toEqual({ circuit_bytes: 1 })
})

it('says under which addresses of this machine it is reached when it listens on all of them', async () => {
  const relay = await startRelay({ host: '0.0.0.0' })
  for (const address of relay.addresses) expect(address).not.toContain('/0.0.0.0/')
  expect(relay.addresses).toContainEqual(expect.stringContaining(`/ip4/127.0.0.1/tcp/${relay.port}/ws/p2p/`))
})

it('dials nobody, whatever it is asked to', async () => {
  const relay = await startRelay()
  const alice = await bench.startPeer(['/ip4/127.0.0.1/tcp/0'])
  await expect(relay.node.dial(alice.getMultiaddrs())).rejects.toThrow()
})

it('says that it is well and where it listens, and keeps its identity over a restart', async () => {
  const dataDir = await bench.dataDir()
  const first = createRelayRole(readRelayConfig({ port: '0', p2pPort: '0', dataDir }, {}), bench.parts)
  const relay = await first.start()
  expect(await read(relay, '/healthz')).toBe('ok')
  expect(JSON.parse(await read(relay, '/health'))).toEqual({ status: 'ok', parts: { relay: { status: 'ok' }, quic: { status: 'ok' } } })
  const info = JSON.parse(await read(relay, '/info')) as { peer: string; addresses: string[]; protocols: string[] }
  expect(info).toMatchObject({ peer: relay.peer, addresses: relay.addresses })
  for (const address of info.addresses) expect(address).toContain(`/p2p/${relay.peer}`)
  expect(info.addresses).toContainEqual(expect.stringContaining(`/tcp/${relay.port}/ws/`))
  expect(info.protocols).toEqual(expect.arrayContaining(['/ipfs/id/1.0.0', '/ipfs/ping/1.0.0', '/libp2p/circuit/relay/0.2.0/hop']))
  await first.stop()
  await first.stop()
  const again = await bench.start(createRelayRole(readRelayConfig({ port: '0', p2pPort: '0', dataDir }, {}), bench.parts))
  expect(again.peer).toBe(relay.peer)
})
