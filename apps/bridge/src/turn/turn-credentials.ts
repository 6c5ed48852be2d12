/**
 * Credentials for the operator's TURN server, by the scheme that coturn and others call the TURN REST API (draft-uberti-behave-turn-rest): both know one secret, and
 * a name that says when it ends needs no list of users.
 *
 *     username    <end, seconds since the epoch>:<PeerID>
 *     credential  base64(HMAC-SHA1(secret, username))
 *
 * One pair per login, which ends a little after the session: what is being relayed then may be refreshed while the browser renews its login. A revoked
 * token's pair works until then; the server knows nothing of revocations. Not here: the secret's source (../config/direct-paths.ts, read-secret.ts).
 */
import { createHmac } from 'node:crypto'
import { MAX_TURN_LIFE_MS, TURN_GRACE_MS } from '../limits.ts'

export interface TurnCredentials {
  /** An entry for RTCPeerConnection's `iceServers`. */
  issue(session: { readonly peer: string; readonly sessionEndsAt: number }): { urls: string[]; username: string; credential: string }
}

export interface TurnCredentialsOptions {
  /** `turn:…` and `turns:…`. */
  readonly urls: readonly string[]
  readonly secret: string
  readonly clock: () => number
}

export function createTurnCredentials({ urls, secret, clock }: TurnCredentialsOptions): TurnCredentials {
  return {
    issue({ peer, sessionEndsAt }) {
      const endsAt = Math.min(sessionEndsAt + TURN_GRACE_MS, clock() + MAX_TURN_LIFE_MS)
      const username = `${Math.floor(endsAt / 1_000)}:${peer}`
      return { urls: [...urls], username, credential: createHmac('sha1', secret).update(username).digest('base64') }
    },
  }
}
