/**
 * The relay's questions, answered from who is here and what their tokens allow: sessions may reserve, and every session at an end of a circuit pays.
 * Beside bridge.ts and not in relay/, because it joins features that do not know each other.
 */
import type { PeerId } from '@libp2p/interface'
import type { Budgets } from './auth/budgets.ts'
import type { Registry } from './peers/registry.ts'
import type { Grant } from './peers/session.ts'
import type { RelayAccount, RelayPolicy } from './relay/relay.ts'

export function createRelayPolicy({
  registry,
  budgets,
}: {
  readonly registry: Registry
  readonly budgets: Pick<Budgets, 'take'>
}): RelayPolicy {
  const grantOf = (peer: PeerId): Grant | undefined => registry.get(peer.toString())?.grant

  return {
    mayReserve: (peer) => grantOf(peer) !== undefined,
    accountsFor(source, destination) {
      const grants = [grantOf(source), grantOf(destination)].flatMap((grant) => grant ?? [])
      // Two devices of one token talking through the relay pay once.
      return [...new Map(grants.map((grant) => [grant.tokenId, accountOf(grant, budgets)])).values()]
    },
  }
}

function accountOf({ tokenId, bytesPerDay, bytesPerSecond }: Grant, budgets: Pick<Budgets, 'take'>): RelayAccount {
  return { id: tokenId, bytesPerSecond, take: (bytes) => budgets.take(tokenId, bytesPerDay, bytes) }
}
