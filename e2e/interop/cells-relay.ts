/** Reservations: theirs on our relay, ours on theirs. */
import { expect, eventually, type Cell } from './cell.ts'
import { LOOKS } from './scene.ts'

export const relayCells: readonly Cell[] = [
  {
    id: 'reserve-session',
    title: 'reserves on our relay with a session',
    async run(scene) {
      const peer = await scene.peer(['tcp'])
      await scene.logIn(peer)
      const { status, addresses } = await peer.order({ do: 'reserve', address: await scene.bridgeAddress('tcp') })
      expect(status === 'OK', `it was answered ${String(status)}`)
      return `${(addresses as string[]).length} addresses`
    },
  },
  {
    id: 'reserve-stranger',
    title: 'is refused a reservation without one',
    async run(scene) {
      const peer = await scene.peer(['tcp'])
      const { status } = await peer.order({ do: 'reserve', address: await scene.bridgeAddress('tcp') })
      // In the words of each; the name of the status is in all of them. Refused, and not merely failed.
      expect(String(status).includes('PERMISSION_DENIED'), `it was answered ${String(status)}`)
      await peer.order({ do: 'ping', peer: scene.bridgePeer })
      return 'PERMISSION_DENIED'
    },
  },
  {
    id: 'reserve-theirs',
    title: 'our bridge reserves on its relay',
    async run(scene) {
      const relay = await scene.peer(['tcp'], { relay: true })
      const address = relay.address(LOOKS.tcp)
      const other = await scene.otherBridge(['--relay-addrs', address])
      const bridge = (await other.address()).split('/p2p/')[1] ?? ''
      const visitor = await scene.peer()
      await eventually('the bridge answers over their relay', async () => {
        await visitor.order({ do: 'dial', address: `${address}/p2p-circuit/p2p/${bridge}` })
        return true
      })
      const { paths } = await visitor.order({ do: 'paths', peer: bridge })
      expect(
        (paths as string[]).some((path) => path.includes('/p2p-circuit')),
        `no circuit among ${String(paths)}`,
      )
      await visitor.order({ do: 'ping', peer: bridge })
      return 'dialled and pinged over it'
    },
  },
]
