/**
 * One run of the check-up: every probe side by side, each with its deadline, each told as soon as it is known. In a chunk of its own.
 * Not here: that there is one run at a time (runner.ts), what it all means (judge.ts).
 */
import type { SessionAnswer } from '@footbridge/shared/login'
import type { FirstHop, Peer } from '../api.ts'
import { hopKind } from '../first-hop/hop-kind.ts'
import type { CheckName, Checks, PeersFigures } from './facts.ts'
import { dialHop, type HopDial } from './hop-dial.ts'
import { probeBridge } from './probe-bridge.ts'
import { probeBrowser, probeStorage, type StorageProbeParts } from './probe-device.ts'
import { probeHop } from './probe-hop.ts'
import { probeTurn, probeUdp, type PeerConnection } from './probe-udp.ts'
import { probeWebRtc } from './probe-web-rtc.ts'

/** Longer than a slow network takes for what works, and as long as a person waits for what does not. */
const DEADLINE_MS: Record<CheckName, number> = {
  bridge: 8_000,
  webtransport: 8_000,
  websocket: 8_000,
  tunnel: 8_000,
  udp: 5_000,
  turn: 6_000,
  webrtc: 8_000,
  peers: 1_000,
  clock: 8_000,
  storage: 5_000,
  browser: 1_000,
}

/** What is asked of the browser. */
export interface Device extends StorageProbeParts {
  readonly PeerConnection: PeerConnection | undefined
  readonly hasWebTransport: boolean
  readonly hasWebSocket: boolean
  readonly hasServiceWorker: boolean
  readonly hasWebLocks: boolean
  readonly isSecureContext: boolean
  readonly isOffline: () => boolean
  readonly timeZone: () => string
}

export interface RunParts {
  readonly bridgeUrl: string
  /** The live session, or the last one. */
  readonly session: SessionAnswer | undefined
  readonly peers: readonly Peer[]
  readonly device: Device
  readonly fetch: typeof fetch
  readonly now: () => number
  readonly steady: () => number
  readonly dial?: HopDial
  readonly tell: <Name extends CheckName>(name: Name, check: Checks[Name]) => void
  readonly signal: AbortSignal
}

export async function runChecks(parts: RunParts): Promise<void> {
  const { session, device, tell, signal } = parts
  const within = (name: CheckName): AbortSignal => AbortSignal.any([signal, AbortSignal.timeout(DEADLINE_MS[name])])

  /** A fault in one probe is not one of the network, and must not hold up the others. */
  const probe = async <Name extends CheckName>(
    name: Name,
    work: (signal: AbortSignal) => Promise<Checks[Name]> | Checks[Name],
  ): Promise<void> => {
    const settled = (check: Checks[Name]): void => {
      if (!signal.aborted) tell(name, check)
    }
    try {
      settled(await work(within(name)))
    } catch {
      settled({ state: 'unknown', because: 'fault' } as Checks[Name])
    }
  }

  const bridge = (async (): Promise<readonly string[] | undefined> => {
    const found = await probeBridge({ ...parts, ...device, signal: within('bridge') })
    if (signal.aborted) return undefined
    tell('bridge', found.bridge)
    tell('clock', found.clock)
    return found.firstHops
  })()

  const hop = async (kind: FirstHop['kind'], isSupported: boolean): Promise<void> =>
    probe(kind, async (deadline) => {
      if (!isSupported) return { state: 'unsupported' }
      const addresses = await addressesOf(kind, session, bridge)
      if (typeof addresses === 'string') return { state: 'unknown', because: addresses }
      const { steady, dial = dialHop } = parts
      return probeHop({ kind, addresses, accessToken: session?.accessToken, dial, steady, signal: deadline })
    })

  const rtc = { ...parts, PeerConnection: device.PeerConnection, iceServers: session?.iceServers ?? [] }
  const byIce = <Name extends 'udp' | 'turn'>(
    name: Name,
    work: (ice: Parameters<typeof probeUdp>[0]) => Promise<Checks[Name]>,
  ): Promise<void> =>
    probe<Name>(name, async (deadline) => {
      const { PeerConnection } = rtc
      if (PeerConnection === undefined) return { state: 'unsupported' } as Checks[Name]
      if (session === undefined) return { state: 'unknown', because: 'no_session' } as Checks[Name]
      return work({ ...rtc, PeerConnection, signal: deadline })
    })

  await Promise.all([
    bridge.then(
      () => undefined,
      () => undefined,
    ),
    hop('webtransport', device.hasWebTransport),
    hop('websocket', device.hasWebSocket),
    hop('tunnel', true),
    byIce('udp', probeUdp),
    byIce('turn', probeTurn),
    probe('webrtc', async (deadline) => {
      const { PeerConnection } = device
      return PeerConnection === undefined ? { state: 'unsupported' } : probeWebRtc({ ...parts, PeerConnection, signal: deadline })
    }),
    probe('peers', () => peersNow(parts.peers)),
    probe('storage', () => probeStorage(device)),
    probe('browser', () =>
      probeBrowser({
        isSecureContext: device.isSecureContext,
        webRtc: device.PeerConnection !== undefined,
        webTransport: device.hasWebTransport,
        serviceWorker: device.hasServiceWorker,
        webLocks: device.hasWebLocks,
      }),
    ),
  ])
}

/** As the session named them, or, for whoever has none, as the bridge does. The bridge opens tunnels for sessions alone. */
async function addressesOf(
  kind: FirstHop['kind'],
  session: SessionAnswer | undefined,
  bridge: Promise<readonly string[] | undefined>,
): Promise<readonly string[] | 'no_bridge' | 'no_session'> {
  if (session === undefined && kind === 'tunnel') return 'no_session'
  const addresses = session?.firstHops ?? (await bridge)
  return addresses?.filter((address) => hopKind(address) === kind) ?? 'no_bridge'
}

function peersNow(peers: readonly Peer[]): { state: 'works'; figures: PeersFigures } | { state: 'unknown'; because: 'nobody' } {
  const paths = peers.map(({ path }) => path)
  const direct = paths.filter(({ kind }) => kind === 'direct').length
  const relayed = paths.filter((path) => path.kind === 'relayed')
  if (direct + relayed.length === 0) return { state: 'unknown', because: 'nobody' }
  const failures = relayed.flatMap(({ upgrade }) => (upgrade.state === 'failed' ? [upgrade.reason] : []))
  return { state: 'works', figures: { direct, relayed: relayed.length, failures: [...new Set(failures)].slice(0, 5) } }
}
