/**
 * The relay's counters as metrics. The first two have the names and results that operators of libp2p relays already draw; `status` is the specification's word.
 * Not here: the counting (relay/counters.ts).
 */
import type { LimitKind } from '../relay/relay.ts'
import type { TrafficCounters } from '../relay/counters.ts'
import type { ScopeKind } from '../relay/scopes.ts'
import type { MetricFamily, Sample } from './metrics.ts'
import { createTally } from './tally.ts'

/** @param totals at the time of the call, of all tokens together. */
export function relayMetrics(totals: () => TrafficCounters): MetricFamily[] {
  return [
    {
      name: 'relay_reservations_total',
      type: 'counter',
      help: 'Reservations that were asked for, renewals included, by what became of them; timed_out: ended without a renewal',
      labels: ['result', 'status'],
      *read() {
        const { reservationsMade, reservationsRefused, reservationsExpired } = totals()
        yield { value: reservationsMade, labels: { result: 'accepted', status: 'OK' } }
        yield* byName(reservationsRefused, (status) => ({ result: 'denied', status }))
        yield { value: reservationsExpired, labels: { result: 'timed_out', status: 'OK' } }
      },
    },
    {
      name: 'relay_circuits_total',
      type: 'counter',
      help: 'Circuits that were asked for, by what became of them',
      labels: ['result', 'status'],
      *read() {
        const { circuitsOpened, circuitsRefused } = totals()
        yield { value: circuitsOpened, labels: { result: 'accepted', status: 'OK' } }
        yield* byName(circuitsRefused, (status) => ({ result: 'denied', status }))
      },
    },
    one('footbridge_relay_reservations', 'gauge', 'Reservations held now', () => totals().reservations),
    one('footbridge_relay_circuits', 'gauge', 'Circuits open now, those being set up included', () => totals().circuits),
    {
      name: 'footbridge_relay_circuits_cut_total',
      type: 'counter',
      help: 'Circuits that the relay ended, by reason',
      labels: ['reason'],
      read: () => byName(totals().circuitsCut, (reason) => ({ reason })),
    },
    {
      name: 'footbridge_relay_bytes_total',
      type: 'counter',
      help: 'Bytes relayed, by direction: to those called, and back',
      labels: ['direction'],
      *read() {
        const { bytesSent, bytesReceived } = totals()
        yield { value: bytesSent, labels: { direction: 'to_called' } }
        yield { value: bytesReceived, labels: { direction: 'to_caller' } }
      },
    },
    one(
      'footbridge_relay_held_up_seconds_total',
      'counter',
      'How long rates held circuits up, summed over their directions',
      () => totals().throttledMs / 1_000,
    ),
  ]
}

/** Counts whom limits refuse and slow down. */
export function limitTally(): MetricFamily & { count(limit: LimitKind, scope: ScopeKind): void } {
  return createTally({
    name: 'footbridge_limit_notices_total',
    help: 'How often a peer was told that a limit refused or slowed something, by limit and by whose limit it was; both ends of a circuit are told',
    labels: ['limit', 'scope'],
  })
}

/** A family of a single number. */
export function one(name: string, type: MetricFamily['type'], help: string, value: () => number): MetricFamily {
  return { name, type, help, read: () => [{ value: value() }] }
}

export function* byName(
  counts: Readonly<Record<string, number>>,
  labels: (name: string) => Readonly<Record<string, string>>,
): Iterable<Sample> {
  for (const [name, value] of Object.entries(counts)) yield { value, labels: labels(name) }
}
