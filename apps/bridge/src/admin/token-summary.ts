/**
 * Tokens and peers as the operator sees them: what goes over the control socket and what `--json` prints. Never a token's text or hash.
 * Not here: how they are laid out for reading (cli/).
 */
import type { Session } from '../peers/session.ts'
import type { TokenLimits } from '@footbridge/storage/ports'
import type { TokenDetails, TokenState } from '../auth/tokens.ts'

/** `null` is "no limit". Times in milliseconds since the epoch. */
export interface TokenSummary extends TokenLimits {
  readonly id: string
  readonly label: string
  readonly state: TokenState
  readonly guest: boolean
  readonly createdAt: number
  readonly expiresAt: number | null
  readonly revokedAt: number | null
  readonly bytesToday: number
  readonly devices: readonly { readonly peer: string; readonly name: string; readonly enrolledAt: number; readonly lastSeenAt: number }[]
}

export interface PeerSummary {
  readonly peer: string
  readonly name: string
  readonly state: Session['state']
  readonly device: 'browser' | 'phone' | null
  readonly tokenId: string
  readonly tokenLabel: string
  readonly guest: boolean
  /** When it got into this state. */
  readonly since: number
  readonly expiresAt: number
  /** At which native peers dial it while it is reachable; empty otherwise. */
  readonly addresses: readonly string[]
}

export function summarizeToken({ record, state, devices, bytesToday }: TokenDetails): TokenSummary {
  const { hash: _hash, ...rest } = record
  return {
    ...rest,
    state,
    bytesToday,
    devices: devices.map(({ peer, name, enrolledAt, lastSeenAt }) => ({ peer, name, enrolledAt, lastSeenAt })),
  }
}

/** @param relayAddresses of the bridge, each ending in its /p2p/. */
export function summarizePeer(session: Session, relayAddresses: readonly string[]): PeerSummary {
  const { peer, tokenId, tokenLabel, guest, name, expiresAt } = session.grant
  const isReachable = session.state === 'reachable'
  return {
    peer,
    name: session.state === 'ended' ? name : session.name,
    state: session.state,
    device: session.state === 'ended' ? null : session.device,
    tokenId,
    tokenLabel,
    guest,
    since: session.since,
    expiresAt,
    addresses: isReachable ? relayAddresses.map((address) => `${address}/p2p-circuit/p2p/${peer}`) : [],
  }
}
