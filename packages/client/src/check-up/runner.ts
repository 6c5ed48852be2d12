/**
 * One check-up at a time, as a Readable that fills in. The probes are loaded with the first run.
 * Not here: the probes (run.ts).
 */
import type { SessionAnswer } from '@footbridge/shared/login'
import type { ConnectionState, Peer, Readable } from '../api.ts'
import { loadChunk } from '../chunk.ts'
import { writable } from '../observable.ts'
import type { CheckName, Checks, CheckUp, CheckUpRunner, Link, Unknown } from './facts.ts'
import { judge } from './judge.ts'
import type { Device, RunParts } from './run.ts'

export interface RunnerParts {
  readonly bridgeUrl: () => string
  /** The last session with that bridge, as it is kept. */
  readonly keptSession: (bridgeUrl: string) => Promise<SessionAnswer | undefined>
  readonly connection: Readable<ConnectionState>
  readonly peers: Readable<readonly Peer[]>
  readonly fetch: typeof fetch
  readonly now: () => number
  readonly steady: () => number
  readonly device: () => Device
  /** The probes; loaded when undefined. */
  readonly probes?: { readonly runChecks: (parts: RunParts) => Promise<void> }
}

export function createCheckUp(parts: RunnerParts): CheckUpRunner {
  const { connection, steady, now } = parts
  const report = writable<CheckUp>({
    state: 'idle',
    startedAt: 0,
    tookMs: 0,
    link: linkOf(connection.get()),
    checks: undefined,
    verdict: undefined,
  })
  let running: { readonly stop: AbortController; readonly over: Promise<void> } | undefined

  const run = async (stop: AbortController): Promise<void> => {
    const startedAt = now()
    const began = steady()
    let checks = ALL_RUNNING
    const show = (state: CheckUp['state']): void => {
      const link = linkOf(connection.get())
      report.set({ state, startedAt, tookMs: steady() - began, link, checks, verdict: judge(checks, link) })
    }
    const tell = <Name extends CheckName>(name: Name, check: Checks[Name]): void => {
      if (stop.signal.aborted) return
      checks = { ...checks, [name]: check }
      show('running')
    }
    const end = (because: Unknown): void => {
      checks = withoutRunning(checks, because)
      show(because === 'stopped' ? 'stopped' : 'done')
    }
    show('running')
    const stopped = new Promise<void>((resolve) => stop.signal.addEventListener('abort', () => resolve(), { once: true }))
    const work = async (): Promise<void> => {
      const bridgeUrl = parts.bridgeUrl()
      const live = connection.get()
      const session = live.state === 'online' ? live.session : await parts.keptSession(bridgeUrl).catch(() => undefined)
      const { runChecks } = parts.probes ?? (await loadChunk(() => import('./run.ts')))
      await runChecks({ ...parts, bridgeUrl, session, peers: parts.peers.get(), device: parts.device(), tell, signal: stop.signal })
    }
    // The chunk that did not load, without a network and before the app is kept here: nothing was found out.
    await Promise.race([work().catch(() => undefined), stopped])
    end(stop.signal.aborted ? 'stopped' : 'fault')
  }

  return {
    report,
    start() {
      if (running === undefined) {
        const stop = new AbortController()
        const over = run(stop).finally(() => {
          stop.abort()
          running = undefined
        })
        running = { stop, over }
      }
      return running.over
    },
    stop: () => running?.stop.abort(),
  }
}

const RUNNING = { state: 'running' } as const
const ALL_RUNNING: Checks = {
  bridge: RUNNING,
  webtransport: RUNNING,
  websocket: RUNNING,
  tunnel: RUNNING,
  udp: RUNNING,
  turn: RUNNING,
  webrtc: RUNNING,
  peers: RUNNING,
  clock: RUNNING,
  storage: RUNNING,
  browser: RUNNING,
}

function withoutRunning(checks: Checks, because: Unknown): Checks {
  const entries = Object.entries(checks).map(([name, check]) => [name, check.state === 'running' ? { state: 'unknown', because } : check])
  return Object.fromEntries(entries) as unknown as Checks
}

function linkOf(connection: ConnectionState): Link {
  switch (connection.state) {
    case 'online':
      return { state: 'online', over: connection.firstHop.kind }
    case 'away':
      return { state: 'not_online', code: connection.code }
    case 'out':
      return { state: 'not_online', code: connection.reason }
    case 'arriving':
    case 'other-tab':
      return { state: 'not_online', code: undefined }
  }
}

/** Of the browser that this runs in. */
export function browserDevice(): Device {
  const { navigator } = globalThis as { navigator?: Partial<Navigator> }
  return {
    PeerConnection: typeof RTCPeerConnection === 'undefined' ? undefined : RTCPeerConnection,
    hasWebTransport: 'WebTransport' in globalThis,
    hasWebSocket: 'WebSocket' in globalThis,
    hasDatabase: 'indexedDB' in globalThis,
    storage: navigator?.storage,
    hasServiceWorker: Boolean(navigator?.serviceWorker?.controller),
    hasWebLocks: navigator?.locks !== undefined,
    isSecureContext: globalThis.isSecureContext ?? true,
    isOffline: () => navigator?.onLine === false,
    timeZone: () => Intl.DateTimeFormat().resolvedOptions().timeZone,
  }
}
