/**
 * Bytes that pass the bridge beside circuits: gossip. They are paid for as a circuit's are, by the token, the peer and the bridge, from the same days and rates; but what passes is
 * one message for many, and cannot wait for one of them. So it passes or not: not when a day is used up, nor while a rate is owed more than DEBT_MS, which bounds how far such bytes
 * hold up the circuits of the same token.
 * Not here: circuits (meter.ts), and what becomes of a message that does not pass (gossip/).
 */
import type { RateBook } from './rate-book.ts'
import type { RelayEvents, RelayPolicy } from './relay.ts'
import { byteRateClaims, dayClaims, scopesOfPeer } from './scopes.ts'

/** Circuits at their rate owe a lease each all the time: gossip must pass beside them. */
const DEBT_MS = 1_000

export interface Beside {
  /** @returns whether they pass; the peer is told why not. */
  charge(peer: string, bytes: number): boolean
  /** Whether such bytes would pass now, of a peer to whom it was refused; cheap for all others, because it is asked of everybody every second. */
  mayPass(peer: string): boolean
  /** Has disconnected. */
  forget(peer: string): void
}

export function createBeside(options: {
  readonly policy: RelayPolicy
  readonly rates: RateBook
  readonly events: Pick<RelayEvents, 'held'>
  readonly now: () => number
}): Beside {
  const { policy, rates, events, now } = options
  /** How much, the last time: what is left of a day may be too little for that, and then there is no use in giving more. */
  const refused = new Map<string, number>()

  return {
    charge(peer, bytes) {
      const scopes = scopesOfPeer(peer, policy)
      const claims = byteRateClaims(scopes)
      const { waitMs, claim } = rates.draw(claims, 0)
      if (claim !== undefined && waitMs > DEBT_MS) {
        refused.set(peer, bytes)
        events.held(peer, { limit: 'bytes_per_second', scope: claim.kind, until: now() + waitMs })
        return false
      }
      const taken = policy.days.take(dayClaims(scopes), bytes)
      if (taken.state === 'short') {
        refused.set(peer, bytes)
        events.held(peer, { limit: 'bytes_per_day', scope: taken.claim.kind, until: policy.days.endOfDay() })
        return false
      }
      rates.draw(claims, bytes)
      return true
    },
    mayPass(peer) {
      const bytes = refused.get(peer)
      if (bytes === undefined) return true
      const scopes = scopesOfPeer(peer, policy)
      const owed = rates.draw(byteRateClaims(scopes), 0).waitMs
      if (owed > DEBT_MS || policy.days.take(dayClaims(scopes), bytes, 0).state === 'short') return false
      refused.delete(peer)
      return true
    },
    forget: (peer) => {
      refused.delete(peer)
    },
  }
}
