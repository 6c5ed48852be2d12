/**
 * The way to the bridge: login, first hop, reservation, presence and pings, run by the supervisor.
 * Not here: when each happens (supervisor/), what a login is (login.ts), other peers (paths/).
 */
import type { Connection, Ed25519PrivateKey } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { pingConnection } from '@footbridge/protocols/ping/ping-connection'
import { createPresenceClient, type PresenceClient } from '@footbridge/protocols/presence/presence-client'
import { FootbridgeError, isFootbridgeError, type ErrorCode } from '@footbridge/shared/errors'
import type { LoginRequest, SessionAnswer } from '@footbridge/shared/login'
import { PRESENCE_PROTOCOL } from '@footbridge/shared/protocol-ids'
import type { FirstHop } from './api.ts'
import type { Kept } from './kept.ts'
import { fetchBridge, logIn, logOut, type LoginParts } from './login.ts'
import type { FootbridgeNode } from './node/create-node.ts'
import { createSupervisor, type SupervisorHandle } from './supervisor/supervisor.ts'
import type { LoginKind } from './supervisor/supervisor-state.ts'

const PING_EVERY_MS = 15_000
const PING_TIMEOUT_MS = 6_000
/** On coming back to the page or the network somebody is watching: a dead link must show soon. */
const CHECK_TIMEOUT_MS = 3_000
const MISSES_TO_GIVE_UP = 2
const STREAM_TIMEOUT_MS = 15_000
const HANG_UP_TIMEOUT_MS = 1_000
/** A presence stream that ends while the link lives means that the bridge forgot us; at once would be a race with the closing link. */
const PRESENCE_GRACE_MS = 1_000
/** The list is kept over a short loss, and emptied when it says nothing any more. */
const STALE_LIST_MS = 5_000
const MIN_RESERVATION_MS = 60_000
/** A link made ahead of a login serves whoever logs in soon; a page left open must not hold one of the bridge's sockets. */
const PREPARED_LINK_MS = 2 * 60_000

export interface BridgeLinkParts {
  readonly kept: Kept
  readonly node: FootbridgeNode
  readonly key: Ed25519PrivateKey
  readonly http: LoginParts
  readonly random: () => number
  /** When bytes last came through the bridge: pings queue behind a file. */
  readonly heardAt: () => number
  /** Reachable (again). */
  readonly onOnline: () => void
  /** The bridge no longer lists these peers. */
  readonly onGone: (peers: readonly string[]) => void
  /** The bridge tells of these peers anew: they have another name, or came again, perhaps on another device. */
  readonly onNews: (peers: readonly string[]) => void
  /** Another device came with this identity: this one is out, and stays out until its person comes in again. */
  readonly onReplaced: () => void
}

export interface BridgeLink {
  /**
   * Dials the bridge ahead of a login, so that a click costs two round trips instead of nine: Noise needs no session, only the reservation does.
   * Failure is no news: the login dials again and says why.
   */
  prepare(): Promise<void>
  /** @throws FootbridgeError why it did not succeed */
  login(credential: LoginRequest['credential']): Promise<void>
  logout(): Promise<void>
  wake(): void
  /** The last session, live or not. */
  session(): SessionAnswer | undefined
  /** Ending in /p2p/<bridge>; undefined while away. */
  address(): string | undefined
  profileChanged(): void
  stop(): Promise<void>
}

export function createBridgeLink({
  kept,
  node,
  key,
  http,
  random,
  heardAt,
  onOnline,
  onGone,
  onNews,
  onReplaced,
}: BridgeLinkParts): BridgeLink {
  const { self, people, log, now } = kept
  const { bridgeUrl } = http
  const closing = new AbortController()
  let credential: LoginRequest['credential'] = { kind: 'device' }
  let session: SessionAnswer | undefined
  /** Who stands at `bridgeUrl`, as far as is known. */
  let bridgePeer: string | undefined
  let preparedTimer: ReturnType<typeof setTimeout> | undefined
  let presence: PresenceClient | undefined
  let graceTimer: ReturnType<typeof setTimeout> | undefined
  let staleTimer: ReturnType<typeof setTimeout> | undefined
  let misses = 0

  const links = (): Connection[] => (bridgePeer === undefined ? [] : node.bridgeConnections(peerIdFromString(bridgePeer)))
  const current = (): Connection | undefined => links()[0]

  const login = async (kind: LoginKind, signal: AbortSignal): Promise<SessionAnswer> => {
    const enrolled = await self.enrolment(bridgeUrl)
    const expected = enrolled?.bridge.peer ?? bridgePeer ?? (await fetchBridge(http, signal)).peer
    const shown = kind === 'given' ? credential : ({ kind: 'device' } as const)
    const input = { bridgePeer: expected, key, credential: shown, name: kept.profile.get().name }
    const answer = await logIn(http, input, signal).catch(async (error: unknown) => {
      // The bridge may have a new identity since it was last seen: its data folder was lost, or another stands at its address.
      if (!isFootbridgeError(error, 'signature_invalid')) throw error
      const { peer } = await fetchBridge(http, signal)
      if (peer === expected) throw error
      return logIn(http, { ...input, bridgePeer: peer }, signal)
    })
    credential = { kind: 'device' }
    session = answer
    bridgePeer = answer.bridge.peer
    await self.setEnrolment({ bridgeUrl, bridge: answer.bridge, peer: answer.peer, loggedOut: false, session: answer })
    await self.setLastBridge(bridgeUrl)
    kept.changed({ kind: 'self' })
    return answer
  }

  const dial = async (answer: SessionAnswer, signal: AbortSignal): Promise<FirstHop> => {
    const dialNew = (): Promise<Connection> =>
      node.dialBridge(answer.firstHops, signal).catch((cause: unknown) => {
        throw new FootbridgeError('unreachable', 'the bridge cannot be dialled', { cause })
      })
    const link = current() ?? (await dialNew())
    if (link.remotePeer.toString() !== answer.bridge.peer) throw new FootbridgeError('not_a_bridge', 'another peer answered at the address')
    misses = 0
    return { kind: 'websocket', address: link.remoteAddr.toString(), rttMs: undefined }
  }

  const reserve = async (answer: SessionAnswer, signal: AbortSignal): Promise<number> => {
    const link = current()
    if (link === undefined) throw new FootbridgeError('unreachable', 'the link to the bridge has closed')
    const startedAt = now()
    const expiresAt = await node.reserve(link.remotePeer, link.remoteAddr.toString(), signal)
    // Counted from the bridge's clock at the login, moved on by ours: a device whose clock is wrong refreshes in time all the same.
    const bridgeNow = answer.serverTime + (startedAt - loggedInAt(answer))
    return Math.max(MIN_RESERVATION_MS, expiresAt - bridgeNow)
  }

  const prepare = async (): Promise<void> => {
    const { signal } = closing
    bridgePeer ??= (await self.enrolment(bridgeUrl))?.bridge.peer ?? (await fetchBridge(http, signal)).peer
    if (current() !== undefined) return
    await node.dialBridge([webSocketAddress(bridgeUrl, bridgePeer)], AbortSignal.any([signal, AbortSignal.timeout(STREAM_TIMEOUT_MS)]))
    preparedTimer = setTimeout(() => {
      if (supervisor.isOut()) void hangUp()
    }, PREPARED_LINK_MS)
  }

  const logins = new WeakMap<SessionAnswer, number>()
  const loggedInAt = (answer: SessionAnswer): number => logins.get(answer) ?? now()

  const hangUp = async (): Promise<void> => {
    presence?.close()
    await Promise.all(links().map(hangUpLink))
  }

  const ping = async (timeoutMs: number): Promise<void> => {
    const link = current()
    if (link === undefined || supervisor.session() === undefined) return
    const startedAt = now()
    try {
      const rttMs = Math.round(await pingConnection(link, timeoutMs, closing.signal))
      misses = 0
      supervisor.firstHop({ kind: 'websocket', address: link.remoteAddr.toString(), rttMs })
    } catch {
      if (closing.signal.aborted || link.status !== 'open' || heardAt() >= startedAt) return
      misses++
      if (misses < MISSES_TO_GIVE_UP) return ping(timeoutMs)
      log.warn('The bridge stopped answering')
      await hangUpLink(link)
    }
  }

  const presenceEnded = (link: Connection): void => {
    presence = undefined
    clearTimeout(graceTimer)
    clearTimeout(staleTimer)
    if (closing.signal.aborted) return
    graceTimer = setTimeout(() => {
      if (presence === undefined && link.status === 'open') supervisor.sessionLost()
    }, PRESENCE_GRACE_MS)
    staleTimer = setTimeout(() => people.presence([], true), STALE_LIST_MS)
  }

  const leave = async (reason: ErrorCode | undefined): Promise<void> => {
    await supervisor.stop(reason)
    clearTimeout(graceTimer)
    clearTimeout(staleTimer)
    people.presence([], true)
  }

  const replaced = (): void => {
    onReplaced()
    leave('other_device').catch(() => undefined)
  }

  const openPresence = async (): Promise<void> => {
    presence?.close()
    presence = undefined
    const link = current()
    if (link === undefined) return
    try {
      const stream = await link.newStream(PRESENCE_PROTOCOL, { signal: AbortSignal.timeout(STREAM_TIMEOUT_MS) })
      const client = createPresenceClient(stream, {
        peers(rows, reset) {
          people.presence(rows, reset)
          if (!reset) onNews(rows.map((row) => row.peer))
        },
        gone(peers) {
          people.gone(peers)
          onGone(peers)
        },
        replaced: () => {
          // Told on a link that was left, it is this device that replaced itself.
          if (presence === client && link === current()) replaced()
        },
        ended: () => {
          if (presence === client) presenceEnded(link)
        },
      })
      presence = client
      clearTimeout(staleTimer)
      await client.hello(kept.profile.get().name, kept.device)
    } catch {
      if (presence === undefined) presenceEnded(link)
    }
  }

  const supervisor: SupervisorHandle = createSupervisor({
    work: {
      async login(kind, signal) {
        // Alongside: the link needs no session.
        void prepare().catch(() => undefined)
        const answer = await login(kind, signal)
        logins.set(answer, now())
        return answer
      },
      dial,
      reserve,
      hangUp,
      checkLink: () => void ping(CHECK_TIMEOUT_MS),
      online() {
        void openPresence()
        void ping(PING_TIMEOUT_MS)
        onOnline()
      },
    },
    connection: kept.connection,
    log,
    now,
    random,
  })

  const onClose = ({ detail }: CustomEvent<Connection>): void => {
    if (detail.remotePeer.toString() === bridgePeer && links().length === 0) supervisor.lost()
  }
  node.libp2p.addEventListener('connection:close', onClose)
  const pingTimer = setInterval(() => void ping(PING_TIMEOUT_MS), PING_EVERY_MS)

  return {
    prepare: () => prepare().catch(() => undefined),
    async login(given) {
      credential = given
      await supervisor.start(given.kind === 'device' ? 'device' : 'given')
    },
    async logout() {
      const enrolled = await self.enrolment(bridgeUrl)
      if (enrolled) await self.setEnrolment({ ...enrolled, loggedOut: true })
      if (session) await logOut(http, session.accessToken).catch(() => undefined)
      await leave(undefined)
    },
    wake: () => supervisor.wake(),
    session: () => session,
    address: () => current()?.remoteAddr.toString(),
    profileChanged() {
      presence?.hello(kept.profile.get().name, kept.device).catch(() => undefined)
    },
    async stop() {
      closing.abort()
      clearInterval(pingTimer)
      clearTimeout(preparedTimer)
      clearTimeout(graceTimer)
      clearTimeout(staleTimer)
      node.libp2p.removeEventListener('connection:close', onClose)
      await supervisor.stop()
    },
  }
}

/** The bridge's libp2p stands on the root path of its HTTP port (docs/protocol.md, 3). */
export function webSocketAddress(bridgeUrl: string, bridgePeer: string): string {
  const { protocol, hostname, port } = new URL(bridgeUrl)
  const isSecure = protocol === 'https:'
  const host = hostname.startsWith('[')
    ? `/ip6/${hostname.slice(1, -1)}`
    : /^[\d.]+$/.test(hostname)
      ? `/ip4/${hostname}`
      : `/dns/${hostname}`
  return `${host}/tcp/${port || (isSecure ? 443 : 80)}${isSecure ? '/tls' : ''}/ws/p2p/${bridgePeer}`
}

/** close() first: abort() leaves a browser's WebSocket open (pitfall A5.1). */
async function hangUpLink(link: Connection): Promise<void> {
  try {
    await link.close({ signal: AbortSignal.timeout(HANG_UP_TIMEOUT_MS) })
  } catch (error) {
    link.abort(error instanceof Error ? error : new Error('the link did not close'))
  }
}
