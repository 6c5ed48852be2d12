/**
 * The bridge at a glance, as `footbridge status` shows it: who is here, and what the relay has done since it started, in all and for each token.
 * Not here: how it is laid out for reading (cli/status-command.ts).
 */
import type { Session } from '../peers/session.ts'
import type { RelayCounters, TrafficCounters } from '../relay/counters.ts'

export interface StatusSummary {
  readonly url: string
  readonly peer: string
  readonly version: string
  readonly sessions: { readonly [State in Session['state']]: number }
  readonly relay: TrafficCounters
  /** By token id. */
  readonly tokens: Readonly<Record<string, TrafficCounters>>
}

export function summarizeStatus(given: {
  readonly url: string
  readonly peer: string
  readonly version: string
  readonly sessions: readonly Session[]
  readonly counters: RelayCounters
}): StatusSummary {
  const { url, peer, version, counters } = given
  const sessions = { admitted: 0, connected: 0, reachable: 0, ended: 0 }
  for (const { state } of given.sessions) sessions[state]++
  return { url, peer, version, sessions, relay: counters.total, tokens: Object.fromEntries(counters.tokens) }
}
