/**
 * What a libp2p node does, as metrics: connections by transport, and addresses that it began or ceased to listen on.
 * Not here: libp2p's own (metrics.ts).
 */
import type { Libp2pEvents, Startable, TypedEventTarget } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { MetricFamily } from './metrics.ts'
import { one } from './relay-metrics.ts'
import { createTally } from './tally.ts'

export type TransportKind = 'websocket' | 'webtransport' | 'tunnel' | 'tcp' | 'quic' | 'webrtc' | 'circuit' | 'other'

/** Innermost first: a circuit is one whatever it goes over, and a WebSocket goes over TCP. */
const KINDS: readonly (readonly [string, TransportKind])[] = [
  ['p2p-circuit', 'circuit'],
  ['webtransport', 'webtransport'],
  ['webrtc-direct', 'webrtc'],
  ['webrtc', 'webrtc'],
  ['quic-v1', 'quic'],
  ['ws', 'websocket'],
  ['wss', 'websocket'],
  ['http', 'tunnel'],
  ['tcp', 'tcp'],
]

/** By which transport an address is reached. */
export function transportOf(address: Multiaddr): TransportKind {
  const names = new Set(address.getComponents().map(({ name }) => name))
  return KINDS.find(([name]) => names.has(name))?.[1] ?? 'other'
}

export interface NodeMetrics {
  readonly families: readonly MetricFamily[]
  /** Counts from now on; before the node is started. */
  watch(node: Pick<TypedEventTarget<Libp2pEvents>, 'addEventListener'>): void
}

/** @param hasSession whether a peer that connects has a session here: its connection is a first hop. Where there are no sessions there are none. */
export function createNodeMetrics(hasSession?: (peer: string) => boolean): NodeMetrics {
  const labels = ['transport', 'direction'] as const
  const opened = createTally({
    name: 'footbridge_connections_opened_total',
    help: 'libp2p connections since the start, by transport and direction',
    labels,
  })
  const closed = createTally({ name: 'footbridge_connections_closed_total', help: 'Of those, the ones that have ended', labels })
  const firstHops = createTally({
    name: 'footbridge_first_hops_total',
    help: 'Connections of peers with a session since the start, by transport',
    labels: ['transport'],
  })

  return {
    families: [opened, closed, ...(hasSession === undefined ? [] : [firstHops])],
    watch(node) {
      // Counted as they come and go: going through thousands at each reading would hold up everybody else.
      node.addEventListener('connection:open', ({ detail: { remoteAddr, remotePeer, direction } }) => {
        const transport = transportOf(remoteAddr)
        opened.count(transport, direction)
        if (hasSession?.(remotePeer.toString()) === true) firstHops.count(transport)
      })
      node.addEventListener('connection:close', ({ detail: { remoteAddr, direction } }) => {
        closed.count(transportOf(remoteAddr), direction)
      })
    },
  }
}

/**
 * A libp2p service without an interface of its own, which counts from before the node listens. The names are those that operators of libp2p relays and
 * rendezvous points already draw.
 */
export function createListenMetrics(names: readonly ('relay_listen_events_total' | 'rendezvous_listen_events_total')[]): {
  readonly families: readonly MetricFamily[]
  readonly service: (components: { readonly events: TypedEventTarget<Libp2pEvents> }) => Startable
} {
  let events = 0
  const count = (): void => {
    events++
  }
  return {
    families: names.map((name) => one(name, 'counter', 'How often the node began or ceased to listen on an address', () => events)),
    service: (components) => ({
      start() {
        components.events.addEventListener('transport:listening', count)
        components.events.addEventListener('transport:close', count)
      },
      stop() {
        components.events.removeEventListener('transport:listening', count)
        components.events.removeEventListener('transport:close', count)
      },
    }),
  }
}
