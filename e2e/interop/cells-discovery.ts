/** How they find each other: gossip, rendezvous, Kademlia, mDNS. */
import type { Event } from '../helpers/child.ts'
import { eventually, expect, type Cell } from './cell.ts'
import type { ForeignPeer } from './foreign-peer.ts'
import { registerNeighbour } from './rendezvous-neighbour.ts'
import { KAD_PREFIX, LOOKS, MDNS_TAG, RENDEZVOUS_NAMESPACE } from './scene.ts'

/** A browser that has just come is told to the network within a moment; the slowest round is mDNS's. */
const ANNOUNCED_MS = 45_000

export const discoveryCells: readonly Cell[] = [
  {
    id: 'gossip',
    title: 'gossips with the browser on a topic, both ways',
    async run(scene) {
      const topic = `footbridge-interop-${crypto.randomUUID().slice(0, 8)}`
      const [peer, { page, peer: virtual }] = [await scene.peer(), await scene.newVirtual()]
      await peer.order({ do: 'subscribe', topic })
      await page.evaluate((name) => interop.subscribe(name), topic)
      await peer.order({ do: 'dial', address: await scene.bridgeAddress('tcp') })
      await eventually('the bridge is on the topic', async () => {
        const { peers } = await peer.order({ do: 'topicPeers', topic })
        return (peers as string[]).length > 0 || undefined
      })
      const theirs = await eventually('their message reaches the browser', async () => {
        await peer.order({ do: 'publish', topic, data: 'to the browser' })
        return page.evaluate(({ name, data }) => interop.heard(name, data), { name: topic, data: 'to the browser' })
      })
      expect(theirs.from === peer.peer, `it came from ${theirs.from}`)
      const ours = await eventually('the browser’s message reaches them', async () => {
        await page.evaluate(({ name, data }) => interop.publish(name, data), { name: topic, data: 'to the peer' })
        return peer.heard(topic, 'to the peer', 1_000)
      })
      expect(ours['from'] === virtual, `it came from ${String(ours['from'])}`)
      return 'signed, over the bridge as a mesh peer'
    },
  },
  {
    id: 'rendezvous-ours',
    title: 'its rendezvous client, on our server, finds the virtual peer',
    none: { js: 'js-libp2p has none; ours is what the bridge itself uses' },
    async run(scene) {
      const peer = await scene.peer(['tcp'])
      const address = await scene.bridgeAddress('tcp')
      await using neighbour = await registerNeighbour(address)
      await peer.order({ do: 'dial', address })
      const { peer: virtual } = await scene.newVirtual()
      // Before it has registered itself, which would tell in which of two forms it reads records; its agent tells nothing.
      const find = async (): Promise<Found | undefined> => {
        const { peers } = await peer.order({ do: 'discover', address, namespace: RENDEZVOUS_NAMESPACE })
        return (peers as Found[]).find((each) => each.peer === virtual)
      }
      const before = await eventually('the virtual peer is registered', find, ANNOUNCED_MS)
      const { status } = await peer.order({ do: 'register', address, namespace: RENDEZVOUS_NAMESPACE })
      expect(status === 0, `its own registration was answered ${String(status)}`)
      const after = await find()
      expect(after?.addresses.join() === before.addresses.join(), 'once it had registered, it found something else')
      expect((await neighbour.sees()).includes(peer.peer), 'another did not find it')
      return reach(peer, virtual, before.addresses)
    },
  },
  {
    id: 'rendezvous-theirs',
    title: 'our rendezvous client, on its server',
    none: { go: 'go-libp2p has no rendezvous point', js: 'js-libp2p has no rendezvous point' },
    async run(scene) {
      const point = await scene.peer(['tcp'], { rendezvous: true })
      const address = point.address(LOOKS.tcp)
      const visitor = await scene.peer(['tcp'])
      await visitor.order({ do: 'dial', address })
      await visitor.order({ do: 'register', address, namespace: RENDEZVOUS_NAMESPACE })
      const other = await scene.otherBridge(['--rendezvous-addrs', address])
      const bridge = (await other.address()).split('/p2p/')[1] ?? ''
      await eventually(
        'the bridge is registered there',
        async () => {
          const { peers } = await visitor.order({ do: 'discover', address, namespace: RENDEZVOUS_NAMESPACE })
          return (peers as Found[]).find((each) => each.peer === bridge)
        },
        ANNOUNCED_MS,
      )
      // Whom a bridge finds so, it dials.
      await eventually(
        'the bridge finds who is registered there',
        async () => {
          const { paths } = await visitor.order({ do: 'paths', peer: bridge })
          return (paths as string[]).length > 0 || undefined
        },
        ANNOUNCED_MS,
      )
      return 'the bridge is registered and found there, and found another of them and dialled it'
    },
  },
  {
    id: 'kademlia',
    title: `finds the virtual peer by Kademlia, ${KAD_PREFIX}/kad/1.0.0`,
    async run(scene) {
      const peer = await scene.peer(['tcp'], { kadPrefix: KAD_PREFIX })
      const { peer: virtual } = await scene.newVirtual()
      await peer.order({ do: 'kadBootstrap', address: await scene.bridgeAddress('tcp') })
      const { addresses } = await eventually('the virtual peer is found', () => found(peer, 'kadFind', virtual), ANNOUNCED_MS)
      return reach(peer, virtual, addresses as string[])
    },
  },
  {
    id: 'mdns',
    title: `finds the virtual peer by mDNS, ${MDNS_TAG}`,
    async run(scene) {
      const { peer: virtual } = await scene.newVirtual()
      const peer = await scene.peer(['tcp'], { mdnsTag: MDNS_TAG })
      const { addresses } = await peer.order({ do: 'mdnsFind', peer: virtual })
      return reach(peer, virtual, addresses as string[])
    },
  },
]

interface Found {
  readonly peer: string
  readonly addresses: readonly string[]
}

async function found(peer: ForeignPeer, by: 'kadFind', virtual: string): Promise<Event | undefined> {
  const answer = await peer.order({ do: by, peer: virtual })
  return (answer['addresses'] as string[]).length > 0 ? answer : undefined
}

/** What was found is worth something only if it leads there. */
async function reach(peer: ForeignPeer, virtual: string, addresses: readonly string[]): Promise<string> {
  const circuits = addresses.filter((address) => address.includes('/p2p-circuit') && !address.includes('/webrtc'))
  expect(circuits.length > 0, `found without a circuit: ${addresses.join(' ')}`)
  const tcp = circuits.find((address) => /\/ip4\/10\.9\.0\.1\/tcp\/\d+\/p2p\//.test(address))
  expect(tcp !== undefined, `found without a TCP address of the bridge: ${circuits.join(' ')}`)
  await peer.order({ do: 'dial', address: tcp.endsWith(`/p2p/${virtual}`) ? tcp : `${tcp}/p2p/${virtual}` })
  await peer.order({ do: 'ping', peer: virtual })
  return `${circuits.length} circuit addresses, dialled and pinged`
}
