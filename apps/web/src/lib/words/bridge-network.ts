/** How the bridge stands in the network, in words. Not here: the facts (the bridge tells them). */
import type { BridgeNetwork } from '@footbridge/shared/bridge-network'
import { m } from '../paraglide/messages.js'

export function reachedWords({ reachability, relays }: Pick<BridgeNetwork, 'reachability' | 'relays'>, name: string): string {
  switch (reachability) {
    case 'reachable':
      return m.bridge_reached({ name })
    case 'unreachable':
      return relays.accepted > 0 ? m.bridge_reached_by_relays({ name }) : m.bridge_not_reached({ name })
    case 'unknown':
      return m.bridge_reach_unknown({ name })
  }
}

/** Of those that it knows, how many serve it. */
export function servingWords(serving: number, known: number): string {
  return known === 0 ? m.bridge_knows_none() : m.bridge_serving({ serving: String(serving), known: String(known) })
}

const SOURCES: Readonly<Record<string, () => string>> = {
  connection: () => m.bridge_from_connection(),
  mdns: () => m.bridge_from_mdns(),
  rendezvous: () => m.bridge_from_rendezvous(),
  kademlia: () => m.bridge_from_kademlia(),
  gossip: () => m.bridge_from_gossip(),
  configured: () => m.bridge_from_configured(),
}

export interface SourceLine {
  readonly source: string
  readonly title: string
  readonly count: number
}

/** Where it knows peers from, most first; what this app has no word for is together. */
export function sourceLines(bySource: BridgeNetwork['peers']['bySource']): readonly SourceLine[] {
  const named = Object.entries(SOURCES).map(([source, title]) => ({ source, title: title(), count: bySource[source] ?? 0 }))
  const others = Object.entries(bySource).filter(([source]) => !Object.hasOwn(SOURCES, source))
  const rest = { source: 'other', title: m.bridge_from_other(), count: others.reduce((sum, [, count]) => sum + count, 0) }
  return [...named, rest].filter(({ count }) => count > 0).toSorted((a, b) => b.count - a.count)
}
