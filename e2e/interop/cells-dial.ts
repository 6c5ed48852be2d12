/** Who can dial whom, over what; each dial with identify, ping and some bytes both ways. */
import { BULK_PROTOCOL } from './bulk.ts'
import { Cannot, expect, type Cell } from './cell.ts'
import type { ForeignPeer } from './foreign-peer.ts'
import { LOOKS, type Scene, type Transport } from './scene.ts'

const SOME = { up: 300_000, down: 300_000, pauseMs: 0 }
const NO_WEBTRANSPORT = {
  rust: 'rust-libp2p has none outside browsers',
  js: 'js-libp2p has none outside browsers; the browser’s own is how the virtual peer itself is here',
}

/** What webtransport-go asks of a server since 0.12, and what it says when it does not get it. */
const PARTIAL_DELIVERY = "server didn't enable QUIC stream reset partial delivery"
const NO_PARTIAL_DELIVERY =
  'since 0.50 it dials only servers whose QUIC has reset_stream_at, which quinn 0.11 inside @moq/web-transport 0.1.4 has not; of the older ones, 0.46 does not ' +
  'say in its settings that it speaks WebTransport, and that server ends the connection, and 0.49 waits for the server’s settings in vain'

const dialIn = (transport: Transport, none: Cell['none'] = {}): Cell => ({
  id: `dial-${transport}`,
  title: `dials the virtual peer through the bridge, ${transport}`,
  none,
  async run(scene) {
    const peer = await scene.peer()
    const address = await scene.bridgeAddress(transport)
    const reached = await peer.order({ do: 'dial', address }).catch((error: Error) => {
      throw error.message.includes(PARTIAL_DELIVERY) ? new Cannot(NO_PARTIAL_DELIVERY) : error
    })
    const { agent } = await peer.order({ do: 'identify', peer: scene.bridgePeer })
    expect(String(agent).toLowerCase().includes('footbridge'), `the bridge calls itself ${String(agent)}`)
    const bridgePing = await peer.order({ do: 'ping', peer: scene.bridgePeer })
    const told = await talkToVirtual(scene, peer, `${address}/p2p-circuit/p2p/${scene.virtual}`)
    return [reached['security'], reached['muxer'], `bridge ${ms(bridgePing['ms'])}`, told].filter(Boolean).join(', ')
  },
})

/** @returns what was seen. */
async function talkToVirtual(scene: Scene, peer: ForeignPeer, address: string): Promise<string> {
  await peer.order({ do: 'dial', address })
  const { paths } = await peer.order({ do: 'paths', peer: scene.virtual })
  expect(
    (paths as string[]).some((path) => path.includes('/p2p-circuit')),
    `no circuit among ${String(paths)}`,
  )
  const { protocols } = await peer.order({ do: 'identify', peer: scene.virtual })
  expect((protocols as string[]).includes('/ipfs/ping/1.0.0'), `identify gave ${String(protocols)}`)
  const pinged = await peer.order({ do: 'ping', peer: scene.virtual })
  await peer.order({ do: 'bulk', peer: scene.virtual, ...SOME })
  return `virtual peer ${ms(pinged['ms'])}`
}

const dialOut = (transport: Transport, none: Cell['none'] = {}): Cell => ({
  id: `dialled-${transport}`,
  title: `is dialled by the browser directly, ${transport}`,
  none,
  async run(scene) {
    const peer = await scene.peer([transport])
    return talkFromPage(scene, peer, peer.address(LOOKS[transport]))
  },
})

async function talkFromPage(scene: Scene, peer: ForeignPeer, address: string): Promise<string> {
  const { page } = scene
  const reached = await page.evaluate((target) => interop.dial(target), address)
  try {
    expect(reached.agent.startsWith('footbridge-interop/'), `the peer calls itself ${reached.agent}`)
    expect(reached.protocols.includes(BULK_PROTOCOL), `identify gave ${reached.protocols.join(' ')}`)
    expect(reached.rttMs !== undefined, 'a ping was not answered')
    await page.evaluate(({ to, order }) => interop.bulk(to, order), { to: peer.peer, order: SOME })
    return ms(reached.rttMs)
  } finally {
    await page.evaluate((to) => interop.hangUp(to), peer.peer)
  }
}

export const dialCells: readonly Cell[] = [
  dialIn('tcp'),
  dialIn('quic'),
  dialIn('websocket'),
  dialIn('webtransport', NO_WEBTRANSPORT),
  {
    id: 'dialled-relay',
    title: 'is dialled by the browser through the bridge’s relay',
    async run(scene) {
      const peer = await scene.peer(['tcp'], { signedRecord: true })
      await scene.logIn(peer)
      const { status } = await peer.order({ do: 'reserve', address: await scene.bridgeAddress('tcp') })
      expect(status === 'OK', `the reservation was answered ${String(status)}`)
      return talkFromPage(scene, peer, `/p2p/${scene.bridgePeer}/p2p-circuit/p2p/${peer.peer}`)
    },
  },
  dialOut('webtransport', NO_WEBTRANSPORT),
  dialOut('webrtc-direct'),
]

function ms(value: unknown): string {
  return `${Number(value).toFixed(1)} ms`
}
