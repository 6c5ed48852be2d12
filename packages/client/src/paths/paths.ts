/**
 * How each peer is reached now. The circuit is used at once; a direct WebRTC connection is tried in the background, carries nothing before a ping has
 * proved it (a failed ICE leaves a phantom that looks open, pitfall A3.2), and is left for the circuit as soon as it stops answering.
 * Not here: what is known of one peer's path (peer-path.ts), whether it still answers (liveness.ts), when a try is allowed (upgrade-policy.ts), and what
 * travels (outbox, blobs).
 */
import type { Connection, IdentifyResult, Libp2p, PeerId, Stream } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { FootbridgeError } from '@footbridge/shared/errors'
import { withDeadline } from '@footbridge/protocols/deadline'
import { pingConnection } from '@footbridge/protocols/ping/ping-connection'
import type { Upgrade } from '../api.ts'
import type { Log } from '../log.ts'
import { isCircuit, isWebRtc } from '../node/create-node.ts'
import type { People } from '../people.ts'
import type { UpgradeStore } from '../store/upgrades.ts'
import { createLiveness } from './liveness.ts'
import { best, isDirect, isTrying, newPath, pathOf, type PeerPath } from './peer-path.ts'
import { createReopen } from './reopen.ts'
import { decideUpgrade, retryDelayMs } from './upgrade-policy.ts'

const SIGNALLING_PROTOCOL = '/webrtc-signaling/0.0.1'
const DIAL_TIMEOUT_MS = 15_000
/** SDP and ICE over a slow relay take a few round trips of each; on one machine a try takes about a second. */
const UPGRADE_TIMEOUT_MS = 8_000
const PROOF_TIMEOUT_MS = 5_000
const MEASURE_EVERY_MS = 15_000
/** An idle circuit's bytes are counted by the bridge (pitfall A4.4). Its end is told by the bridge, so that a look once a minute is for the round trip. */
const MEASURE_IDLE_CIRCUIT_MS = 60_000
/** libp2p identifies a peer once, when a connection opens, and tells nobody when that failed. */
const IDENTIFY_GRACE_MS = 2_000
/** Until the next look when a try is not allowed for another reason than its own failure. */
const BUSY_MS = 5_000
/** Addresses of a peer's own that are tried, one after the other. */
const MAX_FOUND_DIALS = 4
/** After a direct connection ended: the other page may be starting up. */
const REDIAL_MS = 1_000

export interface PathsParts {
  readonly libp2p: Libp2p
  readonly people: Pick<People, 'nameOf' | 'connected' | 'path'>
  readonly upgrades: UpgradeStore
  readonly log: Log
  readonly now: () => number
  /** Whether this browser has WebRTC. */
  readonly hasWebRtc: boolean
  /** Names the network that failures are remembered for. */
  readonly networkName: () => string
  /** The bridge's address to dial circuits through, ending in /p2p/<bridge>; undefined while away. */
  readonly bridgeAddress: () => string | undefined
  /** A new connection at exactly this address, whatever connections and dials there are. */
  readonly dial: (address: string, signal: AbortSignal) => Promise<Connection>
  /** Asks the peer what it speaks; ends in a `peer:identify` event. */
  readonly identify: (connection: Connection) => Promise<unknown>
  /** A peer has become reachable, or (`isBetter`) reachable directly: waiting messages may go. */
  readonly onUsable: (peer: string, isBetter: boolean) => void
  /** Asks for a sign of life below the streams, where the connection can do that: a fraction of the bytes of a ping stream. */
  readonly ask?: (connection: Connection) => Promise<number> | undefined
  /** Where a peer says that it can be dialled without a bridge, ending in /p2p/<peer>; only what this browser can dial. */
  readonly foundAddresses?: (peer: string) => readonly string[]
}

export interface Paths {
  /** The best connection that is there, or a new circuit. @throws FootbridgeError `peer_unreachable`, `timeout` */
  connection(peer: string, signal?: AbortSignal): Promise<Connection>
  /** The best connection that is there. */
  current(peer: string): Connection | undefined
  /** A connection that this device dialled at an address of the peer's own: it has answered, so it is a path, and the direct one. */
  adopt(connection: Connection): void
  /** Takes what arrives on this stream as a sign of life of its path. To be called before anybody reads. */
  watch(stream: Stream, connection: Connection): void
  /** When bytes last came through the bridge from anybody, by this device's clock. */
  heardThroughBridgeAt(): number
  /** The bridge no longer lists this peer: a path that does not answer soon is given up at once. */
  doubt(peer: string): void
  /** Tries to make the path direct now. */
  upgrade(peer: string): void
  /** The bridge is back: circuits that went with it are made again. */
  bridgeBack(): void
  /** The bridge lists this peer again. */
  came(peer: string): void
  /** The network has changed: what failed may work now, and what worked may be dead. */
  networkChanged(): void
  /** The page is being left: ends the direct connections now, so that the others need not find out. Synchronous. */
  leave(): void
  stop(): void
}

export function createPaths(parts: PathsParts): Paths {
  const { libp2p, people, upgrades, log, now } = parts
  const paths = new Map<string, PeerPath>()
  const dials = new Map<string, Promise<Connection>>()
  const own = libp2p.peerId.toString()
  const stopping = new AbortController()
  let attempts = 0
  let attemptsRunning = 0
  let bridgeHeardAt = 0

  const of = (peer: PeerId): PeerPath => {
    const id = peer.toString()
    const known = paths.get(id)
    if (known) return known
    const fresh = newPath(peer, now())
    paths.set(id, fresh)
    return fresh
  }

  const show = (path: PeerPath): void => people.path(path.peer.toString(), pathOf(path))

  const liveness = createLiveness({
    signal: stopping.signal,
    now,
    ask: (connection) => parts.ask?.(connection),
    onMeasured: show,
    onDead(path, connection, reason) {
      log.warn(`The ${connection === path.direct ? 'direct' : 'relayed'} path to ${people.nameOf(path.peer.toString())} stopped answering`)
      connection.abort(reason)
    },
  })

  const setUpgrade = (path: PeerPath, upgrade: Upgrade): void => {
    path.upgrade = upgrade
    show(path)
  }

  const prove = async (path: PeerPath, connection: Connection): Promise<boolean> => {
    try {
      const rttMs = Math.round(await pingConnection(connection, PROOF_TIMEOUT_MS, stopping.signal))
      if (connection.status !== 'open') return false
      // The first that is proved stays: moving between two good ones gains nothing.
      if (isDirect(path)) return true
      path.direct = connection
      path.since = now()
      path.rttMs = rttMs
      path.upgrade = { state: 'idle' }
      await upgrades.remove(parts.networkName(), path.peer.toString())
      log.info(`Path to ${people.nameOf(path.peer.toString())} is now direct, ${rttMs} ms`)
      show(path)
      parts.onUsable(path.peer.toString(), true)
      return true
    } catch {
      connection.abort(new Error('the connection carried nothing'))
      return false
    }
  }

  const tryUpgrade = async (path: PeerPath, isForced: boolean): Promise<void> => {
    const id = path.peer.toString()
    if (isDirect(path) || isTrying(path) || best(path) === undefined) return
    const failure = await upgrades.get(parts.networkName(), id)
    const supports = (await protocolsOf(path.peer)).includes(SIGNALLING_PROTOCOL)
    if (isDirect(path) || isTrying(path)) return
    const decision = decideUpgrade(
      {
        isSupported: parts.hasWebRtc && supports,
        isDialler: own < id,
        isForced,
        attempts,
        attemptsRunning,
        directConnections: [...paths.values()].filter(isDirect).length,
        failure,
      },
      now(),
    )
    if (decision === 'unsupported') return setUpgrade(path, { state: 'unsupported' })
    if (decision === 'leave-to-other') return setUpgrade(path, { state: 'idle' })
    if (decision === 'wait') {
      if (failure) setUpgrade(path, { state: 'failed', reason: failure.reason, retryAt: failure.retryAt })
      const restMs = (failure?.retryAt ?? 0) - now()
      return retryLater(path, restMs > 0 ? restMs : BUSY_MS)
    }
    attempts++
    attemptsRunning++
    setUpgrade(path, { state: 'trying', startedAt: now() })
    try {
      const connection = await withDeadline(
        { timeoutMs: UPGRADE_TIMEOUT_MS, what: 'the direct connection', signal: stopping.signal },
        (signal) => dialDirect(path, signal),
      )
      if (!(await prove(path, connection))) throw new FootbridgeError('timeout', 'the direct connection carried nothing')
    } catch (error) {
      await upgradeFailed(path, failure?.failures ?? 0, error)
    } finally {
      attemptsRunning--
    }
  }

  const dialDirect = (path: PeerPath, signal: AbortSignal): Promise<Connection> => {
    const bridge = parts.bridgeAddress()
    if (bridge === undefined) throw new FootbridgeError('unreachable', 'the bridge is away')
    return parts.dial(`${bridge}/p2p-circuit/webrtc/p2p/${path.peer.toString()}`, signal)
  }

  const upgradeFailed = async (path: PeerPath, before: number, error: unknown): Promise<void> => {
    if (stopping.signal.aborted || isDirect(path)) return
    const reason = error instanceof FootbridgeError && error.code === 'timeout' ? 'no answer past the firewalls' : 'the attempt failed'
    const failure = { failures: before + 1, retryAt: now() + retryDelayMs(before + 1), reason }
    await upgrades.put(parts.networkName(), path.peer.toString(), failure)
    log.info(`Path to ${people.nameOf(path.peer.toString())} stays relayed: ${reason}`)
    setUpgrade(path, { state: 'failed', reason, retryAt: failure.retryAt })
    retryLater(path, failure.retryAt - now())
  }

  const retryLater = (path: PeerPath, ms: number): void => {
    clearTimeout(path.retryTimer)
    path.retryTimer = setTimeout(() => void seekDirect(path).catch(() => undefined), ms)
  }

  /** Tries, or first finds out whether there is anything to try. */
  const seekDirect = async (path: PeerPath): Promise<void> => {
    const connection = best(path)
    if (connection === undefined || isDirect(path) || isTrying(path)) return
    if ((await protocolsOf(path.peer)).length > 0) return tryUpgrade(path, false)
    await parts.identify(connection)
  }

  /** Known from identify; empty while it is under way or failed. */
  const protocolsOf = async (peer: PeerId): Promise<readonly string[]> =>
    (await libp2p.peerStore.get(peer).catch(() => undefined))?.protocols ?? []

  const onOpen = ({ detail: connection }: CustomEvent<Connection>): void => {
    if (!isCircuit(connection) && !isWebRtc(connection)) return
    const path = of(connection.remotePeer)
    people.connected(path.peer.toString(), true)
    if (isWebRtc(connection)) {
      // What we dialled ourselves is proved by the attempt.
      if (connection.direction === 'inbound') void prove(path, connection)
      return
    }
    const isFirst = best(path) === undefined
    path.circuits.add(connection)
    // Somebody who comes again by the bridge may have reloaded their page, and the direct connection would be dead without a word.
    if (path.direct) void liveness.doubt(path, path.direct)
    if (isFirst) {
      path.since = now()
      path.rttMs = undefined
      log.info(`Path to ${people.nameOf(path.peer.toString())} goes through the bridge`)
    }
    show(path)
    if (isFirst) retryLater(path, IDENTIFY_GRACE_MS)
    void liveness.measure(path)
    parts.onUsable(path.peer.toString(), false)
  }

  const onClose = ({ detail: connection }: CustomEvent<Connection>): void => {
    const path = paths.get(connection.remotePeer.toString())
    if (path === undefined) return
    const wasDirect = connection === path.direct
    if (path.circuits.delete(connection) && path.circuits.size === 0 && parts.bridgeAddress() === undefined)
      reopen.lost(path.peer.toString())
    if (wasDirect) {
      path.direct = undefined
      path.rttMs = undefined
      path.since = now()
      log.info(`The direct path to ${people.nameOf(path.peer.toString())} has ended`)
    }
    if (best(path) === undefined) {
      clearTimeout(path.retryTimer)
      paths.delete(path.peer.toString())
      people.path(path.peer.toString(), { kind: 'none' })
      people.connected(path.peer.toString(), false)
      return
    }
    show(path)
    if (wasDirect) retryLater(path, REDIAL_MS)
    parts.onUsable(path.peer.toString(), false)
  }

  const onIdentify = ({ detail }: CustomEvent<IdentifyResult>): void => {
    const path = paths.get(detail.peerId.toString())
    if (path) void tryUpgrade(path, false).catch(() => undefined)
  }

  libp2p.addEventListener('connection:open', onOpen)
  libp2p.addEventListener('connection:close', onClose)
  libp2p.addEventListener('peer:identify', onIdentify)
  const timer = setInterval(() => {
    for (const path of paths.values()) {
      if (!isResting(path)) void liveness.measure(path)
      if (path.upgrade.state === 'idle') void seekDirect(path).catch(() => undefined)
    }
  }, MEASURE_EVERY_MS)

  const dialCircuit = async (id: string, signal: AbortSignal | undefined): Promise<Connection> => {
    const bridge = parts.bridgeAddress()
    if (bridge === undefined) throw new FootbridgeError('peer_unreachable', 'the bridge is away')
    try {
      return await withDeadline({ timeoutMs: DIAL_TIMEOUT_MS, what: 'reaching the peer', signal }, (inner) =>
        parts.dial(`${bridge}/p2p-circuit/p2p/${peerIdFromString(id).toString()}`, inner),
      )
    } catch (cause) {
      if (cause instanceof FootbridgeError && cause.code !== 'timeout') throw cause
      throw new FootbridgeError('peer_unreachable', 'the peer could not be reached', { cause })
    }
  }

  /** Native peers that hold no reservation are reached at what they tell of themselves. */
  const dialFound = async (id: string, signal: AbortSignal | undefined, cause: unknown): Promise<Connection> => {
    for (const address of (parts.foundAddresses?.(id) ?? []).slice(0, MAX_FOUND_DIALS)) {
      const connection = await withDeadline({ timeoutMs: DIAL_TIMEOUT_MS, what: 'reaching the peer', signal }, (inner) =>
        parts.dial(address, inner),
      ).catch(() => undefined)
      if (connection === undefined) continue
      adopt(connection)
      return connection
    }
    throw cause
  }

  const adopt = (connection: Connection): void => {
    if (isCircuit(connection) || isWebRtc(connection) || connection.status !== 'open') return
    const path = of(connection.remotePeer)
    if (isDirect(path)) return
    path.direct = connection
    path.since = now()
    path.rttMs = undefined
    people.connected(path.peer.toString(), true)
    log.info(`Path to ${people.nameOf(path.peer.toString())} is direct, at its own address`)
    show(path)
    void liveness.measure(path)
    parts.onUsable(path.peer.toString(), true)
  }

  /** An idle circuit that was measured not long ago. */
  const isResting = (path: PeerPath): boolean =>
    !isDirect(path) && now() - Math.max(path.measuredAt, path.heard?.at ?? 0) < MEASURE_IDLE_CIRCUIT_MS && path.misses === 0

  const reopen = createReopen({
    own,
    now,
    hasCircuit: (id) => [...(paths.get(id)?.circuits ?? [])].some(({ status }) => status === 'open'),
    // Beside a direct connection too.
    dial: (id) => dialCircuit(id, undefined),
  })

  return {
    current(id) {
      const path = paths.get(id)
      return path && best(path)
    },
    async connection(id, signal) {
      const path = paths.get(id)
      const open = path && best(path)
      if (open) return open
      const underway = dials.get(id)
      if (underway) return underway
      const dial = dialCircuit(id, signal)
        .catch((cause: unknown) => dialFound(id, signal, cause))
        .finally(() => dials.delete(id))
      dials.set(id, dial)
      return dial
    },
    adopt,
    watch(stream, connection) {
      stream.addEventListener('message', () => {
        const path = paths.get(connection.remotePeer.toString())
        if (path) path.heard = { connection, at: now() }
        if (isCircuit(connection)) bridgeHeardAt = now()
      })
    },
    heardThroughBridgeAt: () => bridgeHeardAt,
    doubt(id) {
      const path = paths.get(id)
      const connection = path && best(path)
      if (connection) void liveness.doubt(path, connection)
    },
    upgrade(id) {
      const path = paths.get(id)
      if (path) void tryUpgrade(path, true).catch(() => undefined)
    },
    bridgeBack: () => reopen.bridgeBack(),
    came: (id) => reopen.came(id),
    networkChanged() {
      for (const path of paths.values()) {
        void liveness.measure(path)
        if (path.upgrade.state === 'failed') void tryUpgrade(path, own < path.peer.toString()).catch(() => undefined)
      }
    },
    leave() {
      for (const path of paths.values()) path.direct?.abort(new Error('the page was left'))
    },
    stop() {
      stopping.abort()
      reopen.stop()
      clearInterval(timer)
      for (const path of paths.values()) clearTimeout(path.retryTimer)
      libp2p.removeEventListener('connection:open', onOpen)
      libp2p.removeEventListener('connection:close', onClose)
      libp2p.removeEventListener('peer:identify', onIdentify)
    },
  }
}
