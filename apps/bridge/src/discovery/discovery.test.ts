/** Discovery on loopback with stock js-libp2p peers: relays and rendezvous points that know nothing of ours but the protocols. */
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRendezvousClient } from '@footbridge/protocols/rendezvous/rendezvous-client'
import { createRendezvousServer } from '@footbridge/protocols/rendezvous/rendezvous-server'
import { circuitRelayServer, circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { identify, identifyPush } from '@libp2p/identify'
import type { Ed25519PrivateKey, Libp2p } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { afterEach, expect, it, vi } from 'vitest'
import { circuits } from '../node/circuits.ts'
import { createDiscovery, type Discovery, type DiscoveryDependencies } from './discovery.ts'
import { createMemory } from './memory.ts'

// Whole nodes take seconds on a machine that is busy.
vi.setConfig({ testTimeout: 90_000 })
const SOON = { timeout: 60_000, interval: 100 }

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const stack = { transports: [tcp()], connectionEncrypters: [noise()], streamMuxers: [yamux()] }
const onLoopback = { listen: ['/ip4/127.0.0.1/tcp/0'] }

function keep<Node extends Libp2p>(node: Node): Node {
  cleanups.push(async () => {
    for (const connection of node.getConnections()) connection.abort(new Error('the test is over'))
    await node.stop()
  })
  return node
}
const startRelay = async (): Promise<Libp2p> =>
  keep(
    await createLibp2p({ ...stack, addresses: onLoopback, services: { identify: identify(), ping: ping(), relay: circuitRelayServer() } }),
  )
const startPeer = async (listen: readonly string[] = [], privateKey?: Ed25519PrivateKey): Promise<Libp2p> =>
  keep(
    await createLibp2p({
      ...stack,
      ...(privateKey && { privateKey }),
      addresses: { listen: [...listen] },
      transports: [tcp(), circuitRelayTransport()],
      services: { identify: identify(), identifyPush: identifyPush(), ping: ping() },
    }),
  )
const startPoint = async (): Promise<Libp2p> => {
  const node = await startPeer(onLoopback.listen)
  const server = createRendezvousServer({ policy: { scopesOf: () => [] }, clock: Date.now, randomBytes: (length) => randomBytes(length) })
  await server.start(node)
  cleanups.push(() => server.stop(node))
  return node
}
const addressOf = (node: Libp2p): string => node.getMultiaddrs()[0]!.toString()

async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'footbridge-discovery-'))
  cleanups.push(() => rm(folder, { recursive: true }))
  return folder
}

/** A node that nobody can dial, as behind a NAT: it listens nowhere but at relays, unless told where. */
async function startHidden(settings: Partial<DiscoveryDependencies> & { readonly dataDir?: string; readonly listen?: string[] }) {
  const privateKey = await generateKeyPair('Ed25519')
  const node = keep(
    await createLibp2p({
      ...stack,
      privateKey,
      addresses: { listen: settings.listen ?? [] },
      transports: [tcp(), circuitRelayTransport()],
      services: { identify: identify(), identifyPush: identifyPush(), ping: ping(), circuits: circuits() },
    }),
  )
  const failures: string[] = []
  const discovery: Discovery = createDiscovery({
    node,
    circuits: node.services.circuits,
    rendezvous: (addresses) => createRendezvousClient({ node, privateKey, addresses }),
    policy: { allows: () => true, allowsTold: () => true, isOfUse: () => false, heardOnLan: () => {} },
    memory: createMemory({ dataDir: settings.dataDir ?? (await makeFolder()), clock: Date.now }),
    bootstrapAddrs: [],
    rendezvousAddrs: [],
    relayAddrs: [],
    namespaces: ['test'],
    isSession: () => false,
    clock: Date.now,
    random: () => 0.5,
    onError: (what) => failures.push(what),
    graceMs: 0,
    ...settings,
  })
  cleanups.push(() => discovery.stop())
  await discovery.start()
  return { node, discovery, failures }
}

const acceptedBy = (discovery: Discovery): string[] =>
  discovery
    .networkStatus()
    .relays.filter(({ state }) => state === 'accepted')
    .map(({ peer }) => peer)

it('reserves on relays found by bootstrap, is dialled through them, and takes another when one dies', async () => {
  const relays = [await startRelay(), await startRelay(), await startRelay(), await startRelay()]
  const { node, discovery } = await startHidden({ bootstrapAddrs: relays.map(addressOf) })
  await vi.waitFor(() => expect(acceptedBy(discovery)).toHaveLength(3), SOON)
  const spare = relays.find(({ peerId }) => !acceptedBy(discovery).includes(peerId.toString()))!
  const dead = relays.find(({ peerId }) => acceptedBy(discovery).includes(peerId.toString()))!

  const alice = await startPeer()
  const connection = await alice.dial(multiaddr(`${addressOf(dead)}/p2p-circuit/p2p/${node.peerId.toString()}`))
  expect(connection.remotePeer.equals(node.peerId)).toBe(true)
  expect(discovery.networkStatus().autonat.reachability).toBe('unreachable')
  expect(discovery.networkStatus().externalAddresses).toContainEqual(expect.stringContaining(`${dead.peerId.toString()}/p2p-circuit`))

  await vi.waitFor(() => expect(discovery.book.get(spare.peerId.toString())?.protocols).toContain('/libp2p/circuit/relay/0.2.0/hop'), SOON)
  await dead.stop()
  await vi.waitFor(() => expect(acceptedBy(discovery)).toContain(spare.peerId.toString()), SOON)
  expect(discovery.networkStatus().externalAddresses.join()).not.toContain(dead.peerId.toString())
  const bob = await startPeer()
  const again = await bob.dial(multiaddr(`${addressOf(spare)}/p2p-circuit/p2p/${node.peerId.toString()}`))
  expect(again.remotePeer.equals(node.peerId)).toBe(true)
})

it('asks no relay that it found while others reach it, and one as soon as they do not any more', async () => {
  const relay = await startRelay()
  let isPublic = true
  const policy = { allows: () => true, allowsTold: () => true, isOfUse: () => isPublic, heardOnLan: () => {} }
  const { node, discovery } = await startHidden({ bootstrapAddrs: [addressOf(relay)], policy, ...onLoopback })
  await vi.waitFor(() => expect(discovery.networkStatus().relays).toMatchObject([{ state: 'discovered' }]), SOON)
  expect(discovery.networkStatus()).toMatchObject({
    autonat: { reachability: 'reachable' },
    externalAddresses: node.getMultiaddrs().map(String),
  })

  isPublic = false
  await vi.waitFor(() => expect(acceptedBy(discovery)).toEqual([relay.peerId.toString()]), SOON)
  const { autonat, externalAddresses } = discovery.networkStatus()
  expect(autonat.reachability).toBe('unreachable')
  expect(externalAddresses).toEqual([expect.stringContaining('/p2p-circuit/')])
})

it('is not reached through a relay that came and told of itself', async () => {
  const { node, discovery } = await startHidden(onLoopback)
  const relay = await startRelay()
  discovery.heard(relay.peerId.toString(), [], 'rendezvous')
  await relay.dial(node.getMultiaddrs())
  await vi.waitFor(() => expect(discovery.book.get(relay.peerId.toString())?.protocols).toContain('/libp2p/circuit/relay/0.2.0/hop'), SOON)
  expect(discovery.networkStatus().relays).toEqual([])
})

it('registers at a rendezvous point with its circuit addresses, is found there, and is gone when it stops', async () => {
  const [relay, point] = [await startRelay(), await startPoint()]
  const { node, discovery, failures } = await startHidden({ relayAddrs: [addressOf(relay)], rendezvousAddrs: [addressOf(point)] })
  await vi.waitFor(() => expect(discovery.networkStatus().rendezvous).toMatchObject([{ state: 'registered', configured: true }]), SOON)
  expect(failures).toEqual([])

  const alice = await startPeer()
  const client = createRendezvousClient({ node: alice, privateKey: await generateKeyPair('Ed25519'), addresses: () => [] })
  const { found } = await client.discover(multiaddr(addressOf(point)), { namespace: 'test' })
  expect(found.map(({ peer }) => peer.toString())).toEqual([node.peerId.toString()])
  const circuit = found[0]!.addresses.find((address) => address.toString().includes('/p2p-circuit'))!
  const connection = await alice.dial(circuit.encapsulate(`/p2p/${node.peerId.toString()}`))
  expect(connection.remotePeer.equals(node.peerId)).toBe(true)

  await discovery.stop()
  await vi.waitFor(async () => expect((await client.discover(multiaddr(addressOf(point)), { namespace: 'test' })).found).toEqual([]), SOON)
})

it('dials whom a rendezvous point knows, and after a restart whom it met before, from a file of its own', async () => {
  const privateKey = await generateKeyPair('Ed25519')
  const [point, bob, dataDir] = [await startPoint(), await startPeer(onLoopback.listen, privateKey), await makeFolder()]
  const client = createRendezvousClient({ node: bob, privateKey, addresses: () => bob.getMultiaddrs() })
  await client.register(multiaddr(addressOf(point)), 'test')

  const first = await startHidden({ rendezvousAddrs: [addressOf(point)], dataDir })
  await vi.waitFor(() => expect(first.discovery.book.get(bob.peerId.toString())?.lastMet).toBeDefined(), SOON)
  expect(first.discovery.book.get(bob.peerId.toString())?.sources).toContain('rendezvous')
  await first.discovery.stop()
  await first.node.stop()
  const file = join(dataDir, 'discovery.json')
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  expect(await readFile(file, 'utf8')).toContain(bob.peerId.toString())

  const second = await startHidden({ dataDir })
  await vi.waitFor(() => expect(second.node.getConnections(bob.peerId)).toHaveLength(1), SOON)
})

it('starts with an empty book when its file is of no use', async () => {
  const dataDir = await makeFolder()
  await writeFile(join(dataDir, 'discovery.json'), '{"version":1,"peers":[{"peer":"nobody"}]}')
  const { discovery } = await startHidden({ dataDir })
  expect(discovery.book.list()).toEqual([])
})
