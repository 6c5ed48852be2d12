/**
 * The way to the bridge: login, first hop, reservation, presence and control, run by the supervisor.
 * Not here: when each happens (supervisor/), what a login is (login.ts), other peers (paths/).
 */
import type { Connection, Ed25519PrivateKey } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { createControlClient, type ControlClient } from '@footbridge/protocols/control/control-client'
import { createPresenceClient, type PresenceClient } from '@footbridge/protocols/presence/presence-client'
import { FootbridgeError, isFootbridgeError, type ErrorCode } from '@footbridge/shared/errors'
import type { LoginRequest, SessionAnswer } from '@footbridge/shared/login'
import { CONTROL_PROTOCOL, PRESENCE_PROTOCOL } from '@footbridge/shared/protocol-ids'
import type { FirstHop } from './api.ts'
import { webSocketAddress } from './bridge-address.ts'
import { hopKind } from './first-hop/hop-kind.ts'
import type { Kept } from './kept.ts'
import { fetchBridge, logIn, logOut, type LoginParts } from './login.ts'
import type { FootbridgeNode } from './node/create-node.ts'
import { createSupervisor, type SupervisorHandle } from './supervisor/supervisor.ts'
import type { LoginKind } from './supervisor/supervisor-state.ts'
import { createWatch } from './supervisor/watch.ts'

/** The round trip that a person sees. Not what tells a dead link: that is supervisor/watch.ts. */
const MEASURE_EVERY_MS = 15_000
const STREAM_TIMEOUT_MS = 15_000
/** After a wake from sleep: what the machine had taken in before it slept. */
const STALE_NEWS_MS = 5_000
/** Sooner than any network swallows a packet and a timer notices. */
const REFUSED_WITHIN_MS = 700
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

export function createBridgeLink({ kept, node, key, http, random, onOnline, onGone, onNews, onReplaced }: BridgeLinkParts): BridgeLink {
  const { self, people, log, now, notices } = kept
  const { bridgeUrl } = http
  const closing = new AbortController()
  let credential: LoginRequest['credential'] = { kind: 'device' }
  let session: SessionAnswer | undefined
  /** Who stands at `bridgeUrl`, as far as is known. */
  let bridgePeer: string | undefined
  /** A link that is being made ahead of a login. */
  let preparing: { readonly link: Promise<Connection>; readonly end: AbortController } | undefined
  let awakeSince = -Infinity
  /** The last dial was refused at once: there is a way, and nobody at its end. */
  let isRefusing = false
  let preparedTimer: ReturnType<typeof setTimeout> | undefined
  let presence: PresenceClient | undefined
  let control: ControlClient | undefined
  let graceTimer: ReturnType<typeof setTimeout> | undefined
  let staleTimer: ReturnType<typeof setTimeout> | undefined

  const links = (): Connection[] => (bridgePeer === undefined ? [] : node.bridgeConnections(peerIdFromString(bridgePeer)))
  const current = (): Connection | undefined => links().at(-1)

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

  const addressesOf = async (answer: SessionAnswer | undefined): Promise<readonly string[]> => {
    if (answer !== undefined) return answer.firstHops
    const enrolled = await self.enrolment(bridgeUrl)
    bridgePeer ??= enrolled?.bridge.peer
    return enrolled?.session.firstHops ?? (bridgePeer === undefined ? [] : [webSocketAddress(bridgeUrl, bridgePeer)])
  }

  const dial = async (answer: SessionAnswer | undefined, fresh: boolean, signal: AbortSignal): Promise<FirstHop> => {
    const open = current()
    if (open !== undefined && !fresh) return asFirstHop(open)
    const prepared = fresh ? undefined : await fromPrepared(signal)
    if (prepared !== undefined) return asFirstHop(prepared)
    if (!fresh) await knock(signal)
    const addresses = await addressesOf(answer)
    const beganAt = kept.steady()
    const link = await node.dialBridge(addresses, signal).catch((cause: unknown) => {
      isRefusing = !signal.aborted && kept.steady() - beganAt < REFUSED_WITHIN_MS
      throw new FootbridgeError(isOtherPeer(cause) ? 'not_a_bridge' : 'unreachable', 'the bridge cannot be dialled', { cause })
    })
    // A try that came too late to be used.
    if (signal.aborted) {
      node.cut(link)
      throw new FootbridgeError('aborted', 'another try was quicker')
    }
    // The links before this one are silent or gone. The stock relay client would go on using the oldest.
    for (const other of links()) if (other !== link) node.cut(other)
    watch.reset()
    return asFirstHop(link)
  }

  /**
   * A bridge that refuses at once is asked over HTTP whether it is back: a refused request leaves nothing behind, while each WebSocket that fails makes
   * Chromium slower with the next ones. Where nobody answers, neither yes nor no, it is the other way round: see supervisor/seek.ts.
   */
  const knock = async (signal: AbortSignal): Promise<void> => {
    if (!isRefusing) return
    const patience = AbortSignal.timeout(REFUSED_WITHIN_MS)
    try {
      await fetchBridge(http, AbortSignal.any([signal, patience]))
    } catch (error) {
      if (!patience.aborted) throw error
    }
    isRefusing = false
  }

  /** One that hangs is given up with the try that waits for it: a browser connects one WebSocket at a time to an address. */
  const fromPrepared = async (signal: AbortSignal): Promise<Connection | undefined> => {
    const underway = preparing
    if (underway === undefined) return undefined
    const callOff = (): void => underway.end.abort()
    signal.addEventListener('abort', callOff, { once: true })
    const link = await underway.link.catch(() => undefined)
    signal.removeEventListener('abort', callOff)
    return link
  }

  const asFirstHop = (link: Connection): FirstHop => {
    const address = link.remoteAddr.toString()
    return { kind: hopKind(address) ?? 'websocket', address, rttMs: undefined }
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
    if (current() !== undefined || preparing !== undefined) return
    const end = new AbortController()
    const within = AbortSignal.any([signal, end.signal, AbortSignal.timeout(STREAM_TIMEOUT_MS)])
    const link = node.dialBridge([webSocketAddress(bridgeUrl, bridgePeer)], within)
    preparing = { link, end }
    await link.finally(() => (preparing = undefined))
    preparedTimer = setTimeout(() => {
      if (supervisor.isOut()) void hangUp()
    }, PREPARED_LINK_MS)
  }

  const logins = new WeakMap<SessionAnswer, number>()
  const loggedInAt = (answer: SessionAnswer): number => logins.get(answer) ?? now()

  const hangUp = async (): Promise<void> => {
    presence?.close()
    control?.close()
    await Promise.all(links().map(hangUpLink))
  }

  const watch = createWatch({
    clocks: () => ({ wall: now(), steady: kept.steady() }),
    random,
    heard: () => {
      const link = supervisor.session() === undefined ? undefined : current()
      return link && node.signs.heard(link)
    },
    ask() {
      const link = current()
      return (link && node.signs.ask(link)) ?? Promise.reject(new FootbridgeError('unreachable', 'there is no link'))
    },
    onDoubt: () => supervisor.doubted(),
    onHeard: () => supervisor.heard(),
    onDead() {
      log.warn('The bridge stopped answering')
      for (const link of links()) node.cut(link)
    },
    onSlept(ms) {
      awakeSince = kept.steady()
      log.info(`Back after ${Math.round(ms / 1000)} s without a tick: looking whether the bridge is still there`)
      supervisor.wake()
    },
    onSetBack: () => supervisor.clockSetBack(),
  })

  const measure = async (): Promise<void> => {
    const link = current()
    if (link === undefined || supervisor.session() === undefined) return
    const rttMs = await node.signs.ask(link)?.catch(() => undefined)
    if (rttMs !== undefined && link === current()) supervisor.firstHop({ ...asFirstHop(link), rttMs })
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
    notices.clear()
  }

  const replaced = (): void => {
    onReplaced()
    leave('other_device').catch(() => undefined)
  }

  /** What is read now was said before the sleep: a restart that it announces is long over. */
  const isJustAwake = (): boolean => kept.steady() - awakeSince < STALE_NEWS_MS

  const openControl = async (): Promise<void> => {
    control?.close()
    const link = current()
    if (link === undefined) return
    try {
      const stream = await link.newStream(CONTROL_PROTOCOL, { signal: AbortSignal.timeout(STREAM_TIMEOUT_MS) })
      const greetedAt = kept.steady()
      const client = createControlClient(stream, {
        frame(frame) {
          // Told on a link that was left, it is this device that replaced itself.
          if (control !== client || link !== current()) return
          notices.take(frame, kept.steady() - greetedAt)
          if (frame.type === 'replaced') replaced()
          else if (frame.type === 'draining') supervisor.draining(isJustAwake() ? 0 : frame.reconnectInMs, frame.awayMs)
          else if (frame.type === 'held') log.warn(`The bridge holds this device up: ${frame.limit} of ${frame.scope}`)
          else if (frame.type === 'ending') log.warn(`The bridge ends the circuit with ${people.nameOf(frame.peer)}: ${frame.reason}`)
        },
        // A bridge that has none says so by ending it. What tells of a lost session is the presence stream.
        ended: () => undefined,
      })
      control = client
      await client.hello(now())
    } catch {
      // As above.
    }
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
      checkLink: () => watch.hurry(),
      online() {
        notices.clear()
        void openPresence()
        void openControl()
        void measure()
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
  const measureTimer = setInterval(() => void measure(), MEASURE_EVERY_MS)

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
      clearInterval(measureTimer)
      watch.stop()
      notices.stop()
      clearTimeout(preparedTimer)
      clearTimeout(graceTimer)
      clearTimeout(staleTimer)
      node.libp2p.removeEventListener('connection:close', onClose)
      await supervisor.stop()
    },
  }
}

/** libp2p's word for Noise having met somebody else than was dialled. */
function isOtherPeer(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.some(isOtherPeer)
  return error instanceof Error && error.name === 'UnexpectedPeerError'
}

/** Politely, so that the bridge sees a close and not a loss. */
async function hangUpLink(link: Connection): Promise<void> {
  try {
    await link.close({ signal: AbortSignal.timeout(HANG_UP_TIMEOUT_MS) })
  } catch (error) {
    link.abort(error instanceof Error ? error : new Error('the link did not close'))
  }
}
