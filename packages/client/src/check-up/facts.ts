/**
 * What a check-up finds: one value per probe, in a union that says how it stands, with the figures behind it. Only facts; what follows from them is judge.ts.
 * Addresses in here are the person's own: whoever shows or copies them decides how much of them.
 */
import type { ErrorCode } from '@footbridge/shared/errors'
import type { FirstHop, Readable } from '../api.ts'
import type { Verdict } from './judge.ts'

/** Why nothing can be said. `no_bridge`: it takes the bridge's answer. `no_session`: it takes a login. `nobody`: no peer is connected. `untold`: the browser keeps it to itself. */
export type Unknown = 'stopped' | 'no_bridge' | 'no_session' | 'nobody' | 'untold' | 'fault'

export type Check<Figures, Reason extends string> =
  | { readonly state: 'running' }
  | { readonly state: 'works'; readonly figures: Figures }
  /** `detail`: what was said about it, for the report; never a secret. */
  | { readonly state: 'broken'; readonly reason: Reason; readonly afterMs?: number; readonly detail?: string; readonly figures?: Figures }
  /** This browser has no such thing. */
  | { readonly state: 'unsupported' }
  /** The bridge has no such thing. */
  | { readonly state: 'not_offered' }
  | { readonly state: 'unknown'; readonly because: Unknown }

export interface BridgeFigures {
  readonly name: string
  readonly version: string
  /** The first request, with all that it takes to connect, unless the browser still had a connection. */
  readonly firstMs: number
  /** A request over a connection that stands. */
  readonly rttMs: number
}
/**
 * `offline`: the browser says that it has no network. `no_answer`: nothing came in time. `unreachable`: the request failed; a browser does not say whether
 * it was the name, the connection or the certificate. `portal`: something else answered. `trouble`: the bridge, or a proxy before it, answered with a failure.
 */
export type BridgeReason = 'offline' | 'no_answer' | 'unreachable' | 'portal' | 'trouble'

export interface ClockFigures {
  /** How far the bridge's clock is ahead of this device's. */
  readonly skewMs: number
  /** Half the round trip of the request: the skew is known this well. */
  readonly uncertaintyMs: number
  readonly timeZone: string
}
/** `zone`: it is off by whole half hours, as if the clock had been moved instead of the time zone. */
export type ClockReason = 'wrong' | 'zone'

export interface HopFigures {
  readonly address: string
  /** From the dial to a connection that carries bytes. */
  readonly connectMs: number
  /** From there until the bridge had proved its PeerID. */
  readonly proveMs: number
  readonly rttMs: number
}
/**
 * `refused`: it failed before it was open. `no_answer`: it did not open in time. `silent`: it opened, and nothing came. `cut`: it opened, and was closed
 * before the handshake. `other_peer`: somebody else than the bridge answered. `certificate`: not the one that the bridge announced. `handshake`: any other
 * failure of the handshake. `unauthorized`: the bridge did not accept the session.
 */
export type HopReason = 'refused' | 'no_answer' | 'silent' | 'cut' | 'other_peer' | 'certificate' | 'handshake' | 'unauthorized'

/** RFC 4787's mapping behaviour, as far as two answers tell it. `none`: the address that others see is the device's own. */
export type NatKind = 'none' | 'endpoint_independent' | 'symmetric' | 'unknown'

export interface MappedAddress {
  readonly address: string
  readonly port: number
}

export interface UdpFigures {
  readonly nat: NatKind
  /** Of this device, as the STUN servers see them. */
  readonly mapped: readonly MappedAddress[]
  readonly asked: number
  readonly answered: number
  /** Until the first answer. */
  readonly ms: number
  /** The mapped address is one of a private network: the bridge is inside the same one, and the NAT towards the world was not seen. */
  readonly isInside: boolean
  /** A candidate with an IPv6 address was seen. */
  readonly ipv6: boolean
}

export interface PeersFigures {
  readonly direct: number
  readonly relayed: number
  /** Why tries to become direct failed, each once. */
  readonly failures: readonly string[]
}

export interface StorageFigures {
  /** Undefined where the browser does not say. */
  readonly usedBytes: number | undefined
  readonly quotaBytes: number | undefined
  /** The browser does not throw it away by itself. */
  readonly persistent: boolean
}

export interface BrowserFigures {
  readonly webRtc: boolean
  readonly webTransport: boolean
  /** The app starts without a network. */
  readonly serviceWorker: boolean
  readonly webLocks: boolean
}

export interface Took {
  readonly ms: number
}

/** In the order in which they are shown. */
export interface Checks {
  readonly bridge: Check<BridgeFigures, BridgeReason>
  readonly webtransport: Check<HopFigures, HopReason>
  readonly websocket: Check<HopFigures, HopReason>
  readonly tunnel: Check<HopFigures, HopReason>
  readonly udp: Check<UdpFigures, 'silent'>
  readonly turn: Check<Took, 'silent'>
  /** A data channel between two ends in this page. */
  readonly webrtc: Check<Took, 'no_answer' | 'failed'>
  readonly peers: Check<PeersFigures, never>
  readonly clock: Check<ClockFigures, ClockReason>
  readonly storage: Check<StorageFigures, 'missing' | 'not_writable' | 'full'>
  readonly browser: Check<BrowserFigures, 'insecure'>
}
export type CheckName = keyof Checks

/** How this device stands with its bridge, beside the check-up. */
export type Link =
  | { readonly state: 'online'; readonly over: FirstHop['kind'] }
  | { readonly state: 'not_online'; readonly code: ErrorCode | undefined }

export interface CheckUp {
  readonly state: 'idle' | 'running' | 'done' | 'stopped'
  /** This device's clock. */
  readonly startedAt: number
  /** So far. */
  readonly tookMs: number
  readonly link: Link
  /** Undefined before the first run. */
  readonly checks: Checks | undefined
  readonly verdict: Verdict | undefined
}

/** Runs in the tab that asks for it, whichever of them holds the peer: what is probed is this browser's network. */
export interface CheckUpRunner {
  /** Fills in while it runs. */
  readonly report: Readable<CheckUp>
  /** Begins anew; nothing happens while one runs. Resolves when it is over. Never disturbs the live link. */
  start(): Promise<void>
  /** What has not answered yet stays unknown. Idempotent. */
  stop(): void
}
