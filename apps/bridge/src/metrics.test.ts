/** The metrics of a whole bridge after real traffic, read as Prometheus reads them. */
import { readFileSync } from 'node:fs'
import { createRendezvousClient } from '@footbridge/protocols/rendezvous/rendezvous-client'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, expect, it, vi } from 'vitest'
import { createBench, type TestBridge } from './test-bridge.ts'

// A whole bridge with browsers and peers takes seconds on a machine that is busy.
vi.setConfig({ testTimeout: 60_000 })

const bench = createBench()
afterEach(() => bench.end())

/** `name{label="value"}` to its number. */
async function scrape(bridge: TestBridge): Promise<ReadonlyMap<string, number>> {
  const response = await fetch(`${bridge.url}/metrics`)
  expect(response.status).toBe(200)
  const text = await response.text()
  return new Map(
    text.split('\n').flatMap((line): [string, number][] => {
      const [, series = '', value = ''] = /^([^#\s][^\s]*(?:\{.*\})?) (\S+)$/.exec(line) ?? []
      return series === '' ? [] : [[series, Number(value)]]
    }),
  )
}

/** A text may be given again for a second. */
const eventually = <Value>(check: () => Promise<Value>): Promise<Value> => vi.waitFor(check, { timeout: 15_000, interval: 100 })

it('count sessions, reservations, circuits, bytes, refusals, first hops and answers, and name nobody', async () => {
  const bridge = await bench.startBridge()
  const { node: alice } = await bench.startBrowser(bridge, 'Alice')
  const bob = await bench.startNative()
  const relayed = multiaddr(`${bridge.addresses[0]!}/p2p-circuit/p2p/${alice.peerId.toString()}`)
  await bob.dial(relayed)
  // Without a session, no reservation; without a reservation, no circuit.
  const charlie = await bench.startNative()
  await expect(charlie.dial(multiaddr(`${bridge.addresses[0]!}/p2p-circuit/p2p/${bob.peerId.toString()}`))).rejects.toThrow()
  await expect(bench.startNative([`${bridge.addresses[0]!}/p2p-circuit`])).rejects.toThrow()

  const metrics = await eventually(async () => {
    const read = await scrape(bridge)
    expect(read.get('footbridge_relay_bytes_total{direction="to_called"}')).toBeGreaterThan(0)
    expect(read.get('relay_reservations_total{result="denied",status="PERMISSION_DENIED"}')).toBeGreaterThan(0)
    return read
  })
  expect(Object.fromEntries(metrics)).toMatchObject({
    'footbridge_info{version="0.0.0"}': 1,
    'footbridge_sessions{state="admitted"}': 0,
    'footbridge_sessions{state="connected"}': 0,
    'footbridge_sessions{state="reachable"}': 1,
    footbridge_virtual_peers: 1,
    'relay_reservations_total{result="accepted",status="OK"}': 1,
    'relay_reservations_total{result="timed_out",status="OK"}': 0,
    'relay_circuits_total{result="accepted",status="OK"}': 1,
    'relay_circuits_total{result="denied",status="NO_RESERVATION"}': 1,
    footbridge_relay_reservations: 1,
    footbridge_relay_circuits: 1,
    'rendezvous_discover_total{result="served"}': 0,
    'rendezvous_registrations_total{result="rejected"}': 0,
    'footbridge_first_hops_total{transport="websocket"}': 1,
    'footbridge_connections_opened_total{transport="websocket",direction="inbound"}': 1,
    'footbridge_http_answers_total{route="/api/v1/sessions",method="POST",status="201"}': 1,
  })
  for (const name of ['relay_listen_events_total', 'rendezvous_listen_events_total']) expect(metrics.get(name)).toBeGreaterThan(0)
  expect(metrics.get('footbridge_connections_opened_total{transport="tcp",direction="inbound"}')).toBeGreaterThanOrEqual(2)
  expect([...metrics.keys()]).toContainEqual(expect.stringMatching(/^libp2p_connection_manager_connections\{/))

  const manual = readFileSync(new URL('../../../docs/running.md', import.meta.url), 'utf8')
  const ours = [...metrics.keys()].map((key) => key.split('{')[0]!).filter((name) => /^(footbridge|relay|rendezvous)_/.test(name))
  for (const name of new Set(ours)) if (name !== 'footbridge_info') expect(manual).toContain(`\`${name}\``)

  const secrets = [alice.peerId, bob.peerId, charlie.peerId, bridge.peer, bridge.token].map(String)
  const series = [...metrics.keys()].join('\n')
  for (const secret of secrets) expect(series).not.toContain(secret)
  expect(series).not.toContain(bridge.registry.get(alice.peerId.toString())!.grant.tokenId)
})

it('count whom a limit held up, by limit and scope', async () => {
  const bridge = await bench.startBridge()
  const { node: alice } = await bench.startBrowser(bridge, 'Alice')
  const changed = await bridge.admin.request('/limits/bridge', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ circuits: 1 }),
  })
  expect(changed.status).toBe(200)
  const dial = async (): Promise<unknown> =>
    (await bench.startNative()).dial(multiaddr(`${bridge.addresses[0]!}/p2p-circuit/p2p/${alice.peerId.toString()}`))
  await dial()
  await expect(dial().then(() => 'dialled')).rejects.toThrow()
  await eventually(async () => {
    const read = await scrape(bridge)
    // Both ends are told.
    expect(read.get('footbridge_limit_notices_total{limit="circuits",scope="bridge"}')).toBe(2)
    expect(read.get('relay_circuits_total{result="denied",status="RESOURCE_LIMIT_EXCEEDED"}')).toBe(1)
  })
})

it('count what is registered and looked for at the bridge’s rendezvous point', async () => {
  const bridge = await bench.startBridge()
  const privateKey = await generateKeyPair('Ed25519')
  const node = await bench.startNode({ privateKey, addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] }, transports: [tcp()] })
  const client = createRendezvousClient({ node, privateKey, addresses: () => node.getMultiaddrs() })
  const point = multiaddr(bridge.addresses[0]!)
  await client.register(point, 'reading')
  await client.discover(point, { namespace: 'reading' })
  await eventually(async () => {
    const read = await scrape(bridge)
    expect(read.get('rendezvous_registrations_total{result="registered"}')).toBe(1)
    expect(read.get('rendezvous_discover_total{result="served"}')).toBe(1)
    expect(read.get('footbridge_rendezvous_registrations')).toBe(1)
  })
})

it('are there for whom the operator names; health and info for everybody', async () => {
  const bridge = await bench.startBridge({ metrics: 'off' })
  const [metrics, healthz, health, info] = await Promise.all(
    ['metrics', 'healthz', 'health', 'info'].map((path) => fetch(`${bridge.url}/${path}`)),
  )
  expect(metrics!.status).toBe(404)
  expect(await healthz!.text()).toBe('ok')
  expect(await health!.json()).toMatchObject({ status: 'ok', parts: { store: { status: 'ok' }, network: { status: 'ok' } } })
  const said = (await info!.json()) as Record<string, unknown>
  expect(said).toMatchObject({ peer: bridge.peer, version: '0.0.0', agent: 'footbridge/0.0.0' })
  expect(said['addresses']).toContainEqual(expect.stringMatching(new RegExp(`/tcp/\\d+/p2p/${bridge.peer}$`)))
  expect(said['protocols']).toEqual(expect.arrayContaining(['/ipfs/id/1.0.0', '/ipfs/ping/1.0.0', '/libp2p/circuit/relay/0.2.0/hop']))
})
