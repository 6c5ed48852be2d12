/**
 * How many connections the bridge keeps to peers that it has dialled itself. A look-up in Kademlia opens dozens and closes none: libp2p leaves that to its pruning, which
 * begins at the number of all connections together, and with those that came in. A person's browser would be cut because the bridge had looked somebody up.
 * So libp2p never prunes here, and of what was dialled the longest idle goes first. Who is wanted stays: peers with a tag, as the routing tables, gossip's meshes and discovery give.
 */
import type { Connection, Libp2p, Libp2pEvents } from '@libp2p/interface'
import { MAX_IDLE_DIALLED } from '../limits.ts'

export interface OutboundCap {
  start(): void
  /** Idempotent. */
  stop(): void
}

type Node = Pick<Libp2p, 'addEventListener' | 'removeEventListener' | 'peerStore'>

/** What any connection has without anybody wanting something of it. */
const IDLE_PROTOCOLS = /^\/(ipfs\/(id|ping)|libp2p\/(autonat|dcutr))\//

export function createOutboundCap(node: Node, options: { readonly maxIdle?: number } = {}): OutboundCap {
  const { maxIdle = MAX_IDLE_DIALLED } = options
  /** In the order in which they were opened, or found to be wanted. */
  const dialled = new Set<Connection>()
  let running = false
  let wanted = Promise.resolve()

  const onOpen = ({ detail: connection }: Libp2pEvents['connection:open']): void => {
    if (connection.direction !== 'outbound') return
    dialled.add(connection)
    if (dialled.size > maxIdle) wanted = wanted.then(closeOne)
  }
  const onClose = ({ detail: connection }: Libp2pEvents['connection:close']): void => {
    dialled.delete(connection)
  }

  /** The oldest that nobody wants; each that is wanted goes to the end, so that a call looks at each once at most. */
  const closeOne = async (): Promise<void> => {
    const before = [...dialled]
    for (const connection of before) {
      if (!running || dialled.size <= maxIdle) return
      if (await isWanted(connection)) {
        if (dialled.delete(connection)) dialled.add(connection)
        continue
      }
      dialled.delete(connection)
      await connection.close().catch((error: unknown) => {
        connection.abort(error instanceof Error ? error : new Error('nobody wants this connection any more'))
      })
    }
  }

  const isWanted = async (connection: Connection): Promise<boolean> => {
    if (connection.streams.some(({ protocol }) => protocol !== '' && !IDLE_PROTOCOLS.test(protocol))) return true
    const peer = await node.peerStore.get(connection.remotePeer).catch(() => undefined)
    return peer !== undefined && peer.tags.size > 0
  }

  return {
    start() {
      if (running) return
      running = true
      node.addEventListener('connection:open', onOpen)
      node.addEventListener('connection:close', onClose)
    },
    stop() {
      running = false
      node.removeEventListener('connection:open', onOpen)
      node.removeEventListener('connection:close', onClose)
      dialled.clear()
    },
  }
}
