/**
 * The way to the bridge: login, first hop and reservation, run by the supervisor.
 * Not here: when each happens (supervisor/), how a link is made (first-hop/), what goes over it (bridge-streams.ts), what a login is (login.ts), other peers (paths/).
 */
import type { Connection, Ed25519PrivateKey } from '@libp2p/interface'
import { FootbridgeError, isFootbridgeError, type ErrorCode } from '@footbridge/shared/errors'
import type { LoginRequest, SessionAnswer } from '@footbridge/shared/login'
import { createAnnouncing } from './announcing.ts'
import { createBridgeStreams } from './bridge-streams.ts'
import { createBetterHop } from './first-hop/better-hop.ts'
import { asFirstHop, createFirstHops } from './first-hop/first-hop.ts'
import type { Kept } from './kept.ts'
import { fetchBridge, logIn, logOut, type LoginParts } from './login.ts'
import { isCircuit, type FootbridgeNode } from './node/create-node.ts'
import type { People } from './people.ts'
import type { SelfStore } from './store/self.ts'
import { createSupervisor, type SupervisorHandle } from './supervisor/supervisor.ts'
import type { LoginKind } from './supervisor/supervisor-state.ts'
import { createWatch } from './supervisor/watch.ts'

/** The round trip that a person sees. Not what tells a dead link: that is supervisor/watch.ts. */
const MEASURE_EVERY_MS = 15_000
/** After a wake from sleep: what the machine had taken in before it slept. */
const STALE_NEWS_MS = 5_000
const MIN_RESERVATION_MS = 60_000
/** Before a login is tried once more: the moment that a change of network takes. */
const TORN_REQUEST_MS = 500

/** What the way to the bridge takes of what is kept. */
export interface BridgeLinkKept extends Pick<
  Kept,
  'winners' | 'profile' | 'findable' | 'connection' | 'notices' | 'log' | 'now' | 'steady' | 'device' | 'changed'
> {
  readonly self: Pick<SelfStore, 'enrolment' | 'setEnrolment' | 'setLastBridge'>
  readonly people: Pick<People, 'presence' | 'gone' | 'nameOf'>
}

export interface BridgeLinkParts {
  readonly kept: BridgeLinkKept
  readonly node: FootbridgeNode
  readonly key: Ed25519PrivateKey
  readonly http: LoginParts
  readonly random: () => number
  /** As far as the browser tells. */
  readonly networkName: () => string
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
  networkChanged(): void
  /** The last session, live or not. */
  session(): SessionAnswer | undefined
  /** Of the bridge as a relay, for circuits; undefined while away. */
  address(): string | undefined
  profileChanged(): void
  /** Who can find this device is chosen anew. */
  visibilityChanged(): void
  stop(): Promise<void>
}

export function createBridgeLink(parts: BridgeLinkParts): BridgeLink {
  const { kept, node, key, http, random, onOnline, onGone, onNews, onReplaced } = parts
  const { self, people, log, now, notices } = kept
  const { bridgeUrl } = http
  let credential: LoginRequest['credential'] = { kind: 'device' }
  let session: SessionAnswer | undefined
  let awakeSince = -Infinity

  const hops = createFirstHops({
    node,
    bridgeUrl,
    winners: kept.winners,
    networkName: parts.networkName,
    log,
    now,
    steady: kept.steady,
    askBridge: (signal) => fetchBridge(http, signal),
    lastSession: async () => (await self.enrolment(bridgeUrl))?.session,
    logInAgain: (signal) => login('device', signal),
    onLink: () => watch.reset(),
    isOut: () => supervisor.isOut(),
  })
  const current = (): Connection | undefined => hops.current()

  const login = async (kind: LoginKind, signal: AbortSignal): Promise<SessionAnswer> => {
    const enrolled = await self.enrolment(bridgeUrl)
    const expected = enrolled?.bridge.peer ?? hops.bridgePeer() ?? (await fetchBridge(http, signal)).peer
    const shown = kind === 'given' ? credential : ({ kind: 'device' } as const)
    const input = { bridgePeer: expected, key, credential: shown, name: kept.profile.get().name, visibility: kept.findable.get().choice }
    const answer = await logIn(http, input, signal).catch(async (error: unknown) => {
      // The bridge may have a new identity since it was last seen: its data folder was lost, or another stands at its address.
      if (!isFootbridgeError(error, 'signature_invalid')) throw error
      const { peer } = await fetchBridge(http, signal)
      if (peer === expected) throw error
      return logIn(http, { ...input, bridgePeer: peer }, signal)
    })
    credential = { kind: 'device' }
    session = answer
    hops.setBridgePeer(answer.bridge.peer)
    await self.setEnrolment({ bridgeUrl, bridge: answer.bridge, peer: answer.peer, loggedOut: false, session: answer })
    await self.setLastBridge(bridgeUrl)
    kept.changed({ kind: 'self' })
    return answer
  }

  const reserve = async (answer: SessionAnswer, signal: AbortSignal): Promise<number> => {
    const link = current()
    if (link === undefined) throw new FootbridgeError('unreachable', 'the link to the bridge has closed')
    const startedAt = now()
    const expiresAt = await node.reserve(link.remotePeer, signal)
    // Counted from the bridge's clock at the login, moved on by ours: a device whose clock is wrong refreshes in time all the same.
    const bridgeNow = answer.serverTime + (startedAt - loggedInAt(answer))
    return Math.max(MIN_RESERVATION_MS, expiresAt - bridgeNow)
  }

  const logins = new WeakMap<SessionAnswer, number>()
  const loggedInAt = (answer: SessionAnswer): number => logins.get(answer) ?? now()

  const hangUp = async (): Promise<void> => {
    streams.close()
    await hops.hangUp()
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
      hops.cutAll()
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

  const leave = async (reason: ErrorCode | undefined): Promise<void> => {
    await supervisor.stop(reason)
    streams.forget()
    notices.clear()
  }

  const replaced = (): void => {
    onReplaced()
    leave('other_device').catch(() => undefined)
  }

  /** What is read now was said before the sleep: a restart that it announces is long over. */
  const isJustAwake = (): boolean => kept.steady() - awakeSince < STALE_NEWS_MS

  const announcing = createAnnouncing({ key, findable: kept.findable, bridgePeer: () => hops.bridgePeer(), log, now })

  const streams = createBridgeStreams({
    current,
    people,
    announcing,
    hello: () => ({ name: kept.profile.get().name, device: kept.device, now: now() }),
    steady: kept.steady,
    onControl(frame, sinceHelloMs) {
      notices.take(frame, sinceHelloMs)
      if (frame.type === 'replaced') replaced()
      else if (frame.type === 'draining') supervisor.draining(isJustAwake() ? 0 : frame.reconnectInMs, frame.awayMs)
      else if (frame.type === 'held') log.warn(`The bridge holds this device up: ${frame.limit} of ${frame.scope}`)
      else if (frame.type === 'ending') log.warn(`The bridge ends the circuit with ${people.nameOf(frame.peer)}: ${frame.reason}`)
    },
    onNews,
    onGone,
    onForgotten: () => supervisor.sessionLost(),
  })

  const supervisor: SupervisorHandle = createSupervisor({
    work: {
      async login(kind, signal) {
        // Alongside: the link needs no session.
        void hops.prepare().catch(() => undefined)
        const answer = await login(kind, signal).catch(async (error: unknown) => {
          // A network that changes under a request tears it; whoever waits for the answer should not have to ask again.
          if (kind !== 'given' || !isFootbridgeError(error, 'unreachable')) throw error
          await new Promise((resolve) => setTimeout(resolve, TORN_REQUEST_MS))
          signal.throwIfAborted()
          return login(kind, signal)
        })
        logins.set(answer, now())
        return answer
      },
      dial: (session, fresh, signal) => hops.dial(session, fresh, signal),
      reserve,
      hangUp,
      checkLink: () => watch.hurry(),
      online() {
        notices.clear()
        streams.open()
        void measure()
        better.online()
        onOnline()
      },
    },
    connection: kept.connection,
    log,
    now,
    random,
  })

  const better = createBetterHop({
    hops,
    kind() {
      const state = kept.connection.get()
      return state.state === 'online' ? state.firstHop.kind : undefined
    },
    session: () => supervisor.session(),
    hasCircuits: () => node.libp2p.getConnections().some(isCircuit),
    cut: (link) => node.cut(link),
    onMoved: (hop) => supervisor.moved(hop),
  })

  const onClose = ({ detail }: CustomEvent<Connection>): void => {
    if (detail.remotePeer.toString() === hops.bridgePeer() && current() === undefined) supervisor.lost()
  }
  node.libp2p.addEventListener('connection:close', onClose)
  const measureTimer = setInterval(() => void measure(), MEASURE_EVERY_MS)

  return {
    prepare: () => hops.prepare().catch(() => undefined),
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
    networkChanged() {
      hops.networkChanged()
      supervisor.wake()
      better.soon()
    },
    session: () => session,
    // By name alone: libp2p takes a circuit for one only over addresses that it knows, and the tunnel's is ours. The link is there.
    address() {
      const link = current()
      return link && `/p2p/${link.remotePeer.toString()}`
    },
    profileChanged() {
      streams.profileChanged()
    },
    visibilityChanged: () => announcing.chosen(),
    async stop() {
      clearInterval(measureTimer)
      watch.stop()
      notices.stop()
      better.stop()
      hops.stop()
      streams.stop()
      node.libp2p.removeEventListener('connection:close', onClose)
      await supervisor.stop()
    },
  }
}
