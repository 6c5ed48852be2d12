/**
 * The links to the bridge: made ahead of a login, raced when one is needed, cut when another takes their place. Remembers per network which hop won.
 * Not here: when a link is needed (supervisor/), the race itself (race.ts), looking for a better one (better-hop.ts), what goes over the link (bridge-link.ts).
 */
import type { Connection } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { FootbridgeError } from '@footbridge/shared/errors'
import type { BridgeAnswer, SessionAnswer } from '@footbridge/shared/login'
import type { FirstHop } from '../api.ts'
import { webSocketAddress } from '../bridge-address.ts'
import type { Log } from '../log.ts'
import type { FootbridgeNode } from '../node/create-node.ts'
import type { WinnerStore } from '../store/winners.ts'
import { createBrake } from './brake.ts'
import { isOtherPeer, isUnauthorized } from './hop-error.ts'
import { byKind, hopKind, type HopKind } from './hop-kind.ts'
import { startingOrder } from './plan.ts'
import { startRace, type Race, type Win } from './race.ts'

/** Sooner than any network swallows a packet and a timer notices. */
const REFUSED_WITHIN_MS = 700
const HANG_UP_TIMEOUT_MS = 1_000
/** A link made ahead of a login serves whoever logs in soon; a page left open must not hold one of the bridge's sockets. */
const PREPARED_LINK_MS = 2 * 60_000
const PREPARE_TIMEOUT_MS = 15_000
/** What browsers call a network covers many: a winner of yesterday may be from another one. */
const WINNER_MAX_AGE_MS = 24 * 60 * 60_000

export interface FirstHopsParts {
  readonly node: Pick<FootbridgeNode, 'dialBridge' | 'isDialable' | 'cut' | 'bridgeConnections'>
  readonly bridgeUrl: string
  readonly winners: WinnerStore
  /** As far as the browser tells. */
  readonly networkName: () => string
  readonly log: Log
  /** This device's clock, milliseconds. */
  readonly now: () => number
  /** Milliseconds that never go back. */
  readonly steady: () => number
  /** Asks the bridge over HTTP who it is. */
  readonly askBridge: (signal: AbortSignal) => Promise<BridgeAnswer>
  /** The last session with this bridge, as it is kept. */
  readonly lastSession: () => Promise<Pick<SessionAnswer, 'bridge' | 'firstHops'> | undefined>
  /** The bridge opens tunnels for sessions alone, and says that it knows of none. */
  readonly logInAgain: (signal: AbortSignal) => Promise<unknown>
  /** There is another link: what was known of the one before is void. */
  readonly onLink: () => void
  /** Nobody is in or on the way in: a link that was made ahead is of no use. */
  readonly isOut: () => boolean
}

export interface FirstHops {
  /** Dials ahead of a login. @throws when it cannot; a login dials again and says why. */
  prepare(): Promise<void>
  /**
   * The link that is there, the one that is being made ahead, or a new one. `fresh`: a new one beside it.
   * @throws FootbridgeError `unreachable` or `not_a_bridge`, with an AggregateError of HopErrors as its cause; `aborted`
   */
  dial(session: SessionAnswer | undefined, fresh: boolean, signal: AbortSignal): Promise<FirstHop>
  /** Only some kinds, beside the link that is there, which stays. @throws AggregateError of HopErrors */
  dialBeside(session: SessionAnswer, kinds: readonly HopKind[], signal: AbortSignal): Promise<Connection>
  /** Leaves every other link for this one. */
  moveTo(link: Connection): FirstHop
  /** The newest link, when there is one. */
  current(): Connection | undefined
  /** All of them are silent. */
  cutAll(): void
  /** Says goodbye on all of them. */
  hangUp(): Promise<void>
  bridgePeer(): string | undefined
  setBridgePeer(peer: string): void
  /** What won before means nothing here. */
  networkChanged(): void
  stop(): void
}

interface Running {
  readonly race: Race<Connection>
  readonly addresses: Map<HopKind, readonly string[]>
}

export function createFirstHops(parts: FirstHopsParts): FirstHops {
  const { node, bridgeUrl, winners, networkName, log, now, steady } = parts
  const closing = new AbortController()
  const brake = createBrake(steady)
  /** Who stands at `bridgeUrl`, as far as is known. */
  let bridgePeer: string | undefined
  let prepared: Running | undefined
  let preparedTimer: ReturnType<typeof setTimeout> | undefined
  let dials = 0
  /** The last dial was refused at once: there is a way, and nobody at its end. */
  let isRefusing = false
  let isFromTheTop = false

  const links = (): Connection[] => (bridgePeer === undefined ? [] : node.bridgeConnections(peerIdFromString(bridgePeer)))
  const current = (): Connection | undefined => links().at(-1)

  const dialKind = async (kind: HopKind, addresses: readonly string[], signal: AbortSignal, onThrough: () => void): Promise<Connection> => {
    // Another race may have begun it since this one was made up.
    if (!brake.mayBegin(kind, kind)) throw new FootbridgeError('aborted', 'another try is at it')
    const ended = brake.begin(kind)
    try {
      const link = await node.dialBridge(addresses, signal, onThrough).catch(async (error: unknown) => {
        if (kind !== 'tunnel' || signal.aborted || !isUnauthorized(error)) throw error
        await parts.logInAgain(signal)
        return node.dialBridge(addresses, signal, onThrough)
      })
      ended('succeeded')
      return link
    } catch (error) {
      ended(signal.aborted ? 'called-off' : 'failed')
      throw error
    }
  }

  /** @param winner of this network's last race. @param only kinds to be raced, all when undefined */
  const begin = (firstHops: readonly string[], winner: HopKind | undefined, only?: readonly HopKind[]): Running => {
    const addresses = byKind(firstHops.filter((address) => node.isDialable(address)))
    const possible = [...addresses.keys()].filter((kind) => (only === undefined || only.includes(kind)) && brake.mayBegin(kind, winner))
    const kinds = startingOrder(possible, winner)
    const race = startRace({
      kinds,
      dial: (kind, inner, onThrough) => dialKind(kind, addresses.get(kind) ?? [], inner, onThrough),
      discard: (link) => node.cut(link),
      now: steady,
    })
    return { race, addresses }
  }

  const lastWinner = async (): Promise<HopKind | undefined> => {
    if (isFromTheTop || bridgePeer === undefined) return undefined
    const winner = await winners.get(networkName(), bridgePeer).catch(() => undefined)
    return winner !== undefined && now() - winner.at < WINNER_MAX_AGE_MS ? winner.kind : undefined
  }

  const remember = ({ kind, ms, missed }: Win<Connection>): void => {
    log.info(`First hop: ${kind} in ${Math.round(ms)} ms${missed.map((error) => `; ${error.message}`).join('')}`)
    isFromTheTop = false
    if (bridgePeer !== undefined) void winners.put(networkName(), bridgePeer, { kind, at: now() }).catch(() => undefined)
  }

  const runTo = async ({ race }: Running, signal: AbortSignal): Promise<Connection> => {
    const callOff = (): void => race.callOff(signal.reason)
    signal.addEventListener('abort', callOff, { once: true })
    if (signal.aborted) callOff()
    try {
      const win = await race.won
      remember(win)
      return win.link
    } finally {
      signal.removeEventListener('abort', callOff)
    }
  }

  const addressesOf = async (session: SessionAnswer | undefined): Promise<readonly string[]> => {
    if (session !== undefined) return session.firstHops
    const last = await parts.lastSession()
    bridgePeer ??= last?.bridge.peer
    return last?.firstHops ?? (bridgePeer === undefined ? [] : [webSocketAddress(bridgeUrl, bridgePeer)])
  }

  const prepare = async (): Promise<void> => {
    const { signal } = closing
    const known = (await parts.lastSession()) ?? (await addressesAhead(signal))
    bridgePeer ??= known.bridge.peer
    const winner = await lastWinner()
    if (signal.aborted || current() !== undefined || prepared !== undefined || dials > 0) return
    // A tunnel takes a session.
    const running = begin(known.firstHops, winner, ['webtransport', 'websocket'])
    prepared = running
    const timer = setTimeout(() => running.race.callOff(new FootbridgeError('timeout', 'nobody answered')), PREPARE_TIMEOUT_MS)
    try {
      const win = await running.race.won
      if (prepared === running) remember(win)
      preparedTimer = setTimeout(() => {
        if (parts.isOut()) void hangUp()
      }, PREPARED_LINK_MS)
    } finally {
      clearTimeout(timer)
      if (prepared === running) prepared = undefined
    }
  }

  const addressesAhead = async (signal: AbortSignal): Promise<Pick<SessionAnswer, 'bridge' | 'firstHops'>> => {
    const { peer, name, version, firstHops } = await parts.askBridge(signal)
    return { bridge: { peer, name, version }, firstHops: firstHops ?? [webSocketAddress(bridgeUrl, peer)] }
  }

  /** The race that was begun ahead goes on with what a session adds to it: each hop keeps the time that it has had. */
  const finishPrepared = async (session: SessionAnswer | undefined, signal: AbortSignal): Promise<Connection | undefined> => {
    const running = prepared
    if (running === undefined) return undefined
    prepared = undefined
    const winner = await lastWinner()
    const tunnels = byKind(session?.firstHops.filter((address) => node.isDialable(address)) ?? []).get('tunnel')
    if (tunnels !== undefined && brake.mayBegin('tunnel', winner)) {
      running.addresses.set('tunnel', tunnels)
      running.race.add('tunnel', winner === 'tunnel')
    }
    return runTo(running, signal).catch(() => undefined)
  }

  const dialNew = async (session: SessionAnswer | undefined, fresh: boolean, signal: AbortSignal): Promise<Connection> => {
    if (!fresh) await knock(signal)
    const beganAt = steady()
    try {
      return await runTo(begin(await addressesOf(session), await lastWinner()), signal)
    } catch (cause) {
      if (signal.aborted && !(cause instanceof AggregateError)) throw new FootbridgeError('aborted', 'the dial was called off', { cause })
      // A race in which nothing could begin, because all of it rests or is at it, has been refused by nobody.
      const hasBegun = cause instanceof AggregateError && cause.errors.length > 0
      isRefusing = hasBegun && !signal.aborted && steady() - beganAt < REFUSED_WITHIN_MS
      throw new FootbridgeError(isOtherPeer(cause) ? 'not_a_bridge' : 'unreachable', 'the bridge cannot be dialled', { cause })
    }
  }

  /**
   * A bridge that refuses at once is asked over HTTP whether it is back: a refused request leaves nothing behind, while each WebSocket that fails makes
   * Chromium slower with the next ones. Where nobody answers, neither yes nor no, it is the other way round: see supervisor/seek.ts.
   */
  const knock = async (signal: AbortSignal): Promise<void> => {
    if (!isRefusing) return
    const patience = AbortSignal.timeout(REFUSED_WITHIN_MS)
    try {
      await parts.askBridge(AbortSignal.any([signal, patience]))
    } catch (error) {
      if (!patience.aborted) throw error
    }
    isRefusing = false
  }

  const moveTo = (link: Connection): FirstHop => {
    // The links before this one are silent, worse or gone. The stock relay client would go on using the oldest.
    for (const other of links()) if (other !== link) node.cut(other)
    parts.onLink()
    return asFirstHop(link)
  }

  const hangUp = async (): Promise<void> => {
    await Promise.all(links().map(hangUpLink))
  }

  return {
    prepare,
    async dial(session, fresh, signal) {
      const open = current()
      if (open !== undefined && !fresh) return asFirstHop(open)
      dials++
      try {
        const ahead = fresh ? undefined : await finishPrepared(session, signal)
        const link = ahead ?? (await dialNew(session, fresh, signal))
        // A try that came too late to be used.
        if (signal.aborted) {
          node.cut(link)
          throw new FootbridgeError('aborted', 'another try was quicker')
        }
        return moveTo(link)
      } finally {
        dials--
      }
    },
    async dialBeside(session, kinds, signal) {
      return runTo(begin(session.firstHops, await lastWinner(), kinds), signal)
    },
    moveTo,
    current,
    cutAll() {
      for (const link of links()) node.cut(link)
    },
    hangUp,
    bridgePeer: () => bridgePeer,
    setBridgePeer(peer) {
      bridgePeer = peer
    },
    networkChanged() {
      isFromTheTop = true
      brake.release()
    },
    stop() {
      closing.abort()
      clearTimeout(preparedTimer)
      prepared?.race.callOff(new Error('the page closes'))
    },
  }
}

export function asFirstHop(link: Connection): FirstHop {
  const address = link.remoteAddr.toString()
  return { kind: hopKind(address) ?? 'websocket', address, rttMs: undefined }
}

/** Politely, so that the bridge sees a close and not a loss. */
async function hangUpLink(link: Connection): Promise<void> {
  try {
    await link.close({ signal: AbortSignal.timeout(HANG_UP_TIMEOUT_MS) })
  } catch (error) {
    link.abort(error instanceof Error ? error : new Error('the link did not close'))
  }
}
