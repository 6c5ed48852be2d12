/** The rendezvous point alone, as stock js-libp2p nodes meet it. */
import { createRendezvousClient, type RendezvousClient } from '@footbridge/protocols/rendezvous/rendezvous-client'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { lpStream } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, expect, it, vi } from 'vitest'
import { readRendezvousConfig } from './role-config.ts'
import { createRendezvousRole } from './rendezvous-role.ts'
import type { RunningRole } from './role.ts'
import { createRoleBench, type StockPeer } from './test-roles.ts'

// Whole nodes take seconds on a machine that is busy.
vi.setConfig({ testTimeout: 60_000 })

const bench = createRoleBench()
afterEach(() => bench.end())

const startPoint = async (): Promise<RunningRole> =>
  bench.start(createRendezvousRole(readRendezvousConfig({ port: '0', p2pPort: '0', dataDir: await bench.dataDir() }, {}), bench.parts))

/** A stock node that listens on loopback, and a client of the protocol on it. */
async function startClient(): Promise<{ readonly node: StockPeer; readonly client: RendezvousClient }> {
  const privateKey = await generateKeyPair('Ed25519')
  const node = await bench.startPeer(['/ip4/127.0.0.1/tcp/0'], privateKey)
  return { node, client: createRendezvousClient({ node, privateKey, addresses: () => node.getMultiaddrs() }) }
}

it.each([
  ['TCP', /\/tcp\/\d+\/p2p\//],
  ['QUIC', /\/quic-v1\/p2p\//],
  ['WebSocket', /\/ws\/p2p\//],
])('a peer registers over %s, another finds it and dials it, and the metrics say so', async (_, transport) => {
  const point = await startPoint()
  const at = multiaddr(point.addresses.find((address) => transport.test(address))!)
  const [alice, bob] = [await startClient(), await startClient()]
  await alice.client.register(at, 'footbridge')
  const { found } = await bob.client.discover(at, { namespace: 'footbridge' })
  expect(found.map(({ peer }) => peer.toString())).toEqual([alice.node.peerId.toString()])
  const connection = await bob.node.dial([...found[0]!.addresses])
  expect(connection.remotePeer.equals(alice.node.peerId)).toBe(true)
  await alice.client.unregister(at, 'footbridge')
  await vi.waitFor(async () => expect((await bob.client.discover(at, { namespace: 'footbridge' })).found).toEqual([]), { timeout: 20_000 })
  const metrics = await (await fetch(`http://127.0.0.1:${point.port}/metrics`)).text()
  for (const line of [
    'rendezvous_registrations_total{result="registered"} 1',
    'rendezvous_registrations_total{result="rejected"} 0',
    'rendezvous_registrations_total{result="unregistered"} 1',
    'rendezvous_listen_events_total 3',
    'footbridge_rendezvous_registrations 0',
  ])
    expect(metrics).toContain(`${line}\n`)
  expect(metrics).toMatch(/rendezvous_discover_total\{result="served"\} [2-9]/)
  expect(metrics).not.toContain(alice.node.peerId.toString())
})

it('answers the bytes of a discovery as other implementations write them, and refuses what is none', async () => {
  const point = await startPoint()
  const node = await bench.startPeer()
  const connection = await node.dial(multiaddr(point.addresses[0]!))
  const ask = async (hex: string): Promise<Uint8Array> => {
    const frames = lpStream(await connection.newStream('/rendezvous/1.0.0'))
    await frames.write(Buffer.from(hex, 'hex'))
    return (await frames.read({ signal: AbortSignal.timeout(20_000) })).subarray()
  }
  // DISCOVER in "soma": an answer (type 4) in field 6 with a cookie and without registrations.
  expect(Buffer.from(await ask('08032a060a04736f6d61')).toString('hex')).toMatch(/^08043[2]/)
  // REGISTER of nothing is refused in words.
  expect([...(await ask('08001200'))].slice(0, 2)).toEqual([0x08, 0x01])
  const metrics = await (await fetch(`http://127.0.0.1:${point.port}/metrics`)).text()
  expect(metrics).toContain('rendezvous_discover_total{result="served"} 1\n')
  expect(metrics).toContain('rendezvous_registrations_total{result="rejected"} 1\n')
})

it('is known for a rendezvous point by Identify, says so at /info, and forgets all when it stops', async () => {
  const role = createRendezvousRole(readRendezvousConfig({ port: '0', p2pPort: '0', dataDir: await bench.dataDir() }, {}), bench.parts)
  const point = await bench.start(role)
  const { node, client } = await startClient()
  await client.register(multiaddr(point.addresses[0]!), 'footbridge')
  await vi.waitFor(
    async () =>
      expect((await node.peerStore.get(point.node.peerId)).protocols).toEqual(
        expect.arrayContaining(['/rendezvous/1.0.0', '/ipfs/ping/1.0.0']),
      ),
    { timeout: 20_000 },
  )
  const http = `http://127.0.0.1:${point.port}`
  expect(await (await fetch(`${http}/info`)).json()).toMatchObject({ peer: point.peer, addresses: point.addresses })
  expect(await (await fetch(`${http}/health`)).json()).toMatchObject({ status: 'ok', parts: { rendezvous: { status: 'ok' } } })
  await role.stop()
  await expect(fetch(`${http}/healthz`)).rejects.toThrow()
  expect(point.node.status).toBe('stopped')
})
