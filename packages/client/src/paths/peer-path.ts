/**
 * What is known of the way to one peer, and what follows from it: pure. Events change these facts (paths.ts); everybody asks the functions here.
 */
import type { Connection, PeerId } from '@libp2p/interface'
import type { DirectOver, Path, Upgrade } from '../api.ts'

export interface PeerPath {
  readonly peer: PeerId
  circuits: Set<Connection>
  /** Proven. */
  direct: Connection | undefined
  since: number
  rttMs: number | undefined
  misses: number
  measuring: boolean
  /** When it was last looked at; 0: never. */
  measuredAt: number
  /** When bytes last came over which connection: a path that carries a file is alive however late its pings are. */
  heard: { readonly connection: Connection; readonly at: number } | undefined
  upgrade: Upgrade
  retryTimer: ReturnType<typeof setTimeout> | undefined
}

export function newPath(peer: PeerId, since: number): PeerPath {
  return {
    peer,
    circuits: new Set(),
    direct: undefined,
    since,
    rttMs: undefined,
    misses: 0,
    measuring: false,
    measuredAt: 0,
    heard: undefined,
    upgrade: { state: 'idle' },
    retryTimer: undefined,
  }
}

/** What is to be used now: a direct connection that was proved, else the oldest circuit. */
export function best(path: PeerPath): Connection | undefined {
  if (path.direct?.status === 'open') return path.direct
  for (const circuit of path.circuits) if (circuit.status === 'open') return circuit
  return undefined
}

/** As a person sees it. */
export function pathOf(path: PeerPath): Path {
  const connection = best(path)
  if (connection === undefined) return { kind: 'none' }
  const shared = { rttMs: path.rttMs, address: connection.remoteAddr.toString(), since: path.since }
  return connection === path.direct
    ? { kind: 'direct', over: overOf(shared.address), ...shared }
    : { kind: 'relayed', over: 'circuit', ...shared, upgrade: path.upgrade }
}

function overOf(address: string): DirectOver {
  if (address.includes('/webrtc-direct')) return 'webrtc-direct'
  if (address.includes('/webtransport')) return 'webtransport'
  return address.includes('/webrtc') ? 'webrtc' : 'websocket'
}

/** Functions, because TypeScript would keep a narrowing from before an await. */
export function isTrying(path: PeerPath): boolean {
  return path.upgrade.state === 'trying'
}

export function isDirect(path: PeerPath): boolean {
  return path.direct?.status === 'open'
}

/** Whether bytes came over this connection since then: the sign of life that a late ping is not. */
export function isHeardSince(path: PeerPath, connection: Connection, since: number): boolean {
  return path.heard?.connection === connection && path.heard.at >= since
}
