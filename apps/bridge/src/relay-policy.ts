/**
 * The relay's questions, answered from who is here, what their tokens allow and what the operator set for everybody else: sessions may reserve, anybody may
 * call them, and the token of each end pays.
 * Beside bridge.ts and not in relay/, because it joins features that do not know each other.
 */
import type { Budgets } from './auth/budgets.ts'
import type { SessionLimits } from '@footbridge/shared/wire/control-frame'
import type { Registry } from './peers/registry.ts'
import type { Session } from './peers/session.ts'
import type { RelayPolicy } from './relay/relay.ts'

export interface RelayPolicyDependencies {
  readonly registry: Pick<Registry, 'get'>
  readonly budgets: Pick<Budgets, 'take' | 'overdraw' | 'giveBack' | 'endOfDay'>
  readonly limits: RelayPolicy['limits']
}

export function createRelayPolicy({ registry, budgets, limits }: RelayPolicyDependencies): RelayPolicy {
  return {
    mayReserve: (peer) => registry.get(peer.toString()) !== undefined,
    // Both ends are strangers only when the destination's session has just ended, and its reservation with it.
    mayConnect: () => true,
    tokenOf(peer) {
      const grant = registry.get(peer)?.grant
      if (grant === undefined) return undefined
      const { tokenId, maxReservations, maxCircuits, circuitsPerMinute, bytesPerSecond, bytesPerDay } = grant
      return {
        id: tokenId,
        limits: { reservations: maxReservations, circuits: maxCircuits, circuitsPerMinute, bytesPerSecond, bytesPerDay },
      }
    },
    limits,
    days: budgets,
  }
}

/** What a session is told of its limits. @param usedToday bytes of its token. */
export function sessionLimits(session: Session | undefined, usedToday: (tokenId: string) => number): SessionLimits | undefined {
  if (session === undefined || session.state === 'ended') return undefined
  const { tokenId, bytesPerSecond, bytesPerDay, maxCircuits, circuitsPerMinute } = session.grant
  return { bytesPerSecond, bytesPerDay, bytesUsedToday: usedToday(tokenId), circuits: maxCircuits, circuitsPerMinute }
}
