/**
 * Running circuits: their places (taken before anything is opened), their ends, and how they end. A circuit is two pumps over two streams; what fails in one
 * aborts both, and its places are free when both streams are closed.
 *
 *     open ──join──► running ──announce(reason, at)──► ending ──at──► cut
 *       └── discard ──► gone      └── a stream ends ──► gone
 *
 * Not here: how a circuit is asked for (connect.ts), and what its bytes cost (meter.ts).
 */
import type { PeerId, Stream } from '@libp2p/interface'
import { createCountBook, type Hold } from './count-book.ts'
import type { Counters, CutReason } from './counters.ts'
import type { RelayLimits } from './limits.ts'
import { createMeter, type Meter } from './meter.ts'
import { startPump } from './pump.ts'
import type { RateBook } from './rate-book.ts'
import type { CircuitInfo, RelayEvents, RelayPolicy } from './relay.ts'
import { scopesOfCircuit, type End, type Scope } from './scopes.ts'

export type OpenAnswer = { readonly state: 'open'; readonly slot: CircuitSlot } | { readonly state: 'full'; readonly scope: Scope }

export interface Circuits {
  /** Takes the places of a circuit that is about to be set up, in all scopes or in none. */
  open(source: End, destination: End, scopes: readonly Scope[]): OpenAnswer
  list(): readonly CircuitInfo[]
  /** Places held in a scope. */
  count(scopeKey: string): number
  /** Cuts every circuit that the peer is an end of, those being set up included, at once. */
  cutPeer(peer: PeerId): void
  /** Says that every circuit will be cut after `ms`, and resolves when none is left. */
  drain(ms: number): Promise<void>
  cutAll(): void
  /** Resolves every circuit's limits anew. */
  limitsChanged(): void
  /** Announces the end of circuits that last too long, and takes back what resting ones have leased. */
  sweep(): void
}

export interface CircuitSlot {
  /** Aborted when the circuit is cut while it is set up. */
  readonly signal: AbortSignal
  /** Joins the two streams; the places are held as long as they live. */
  join(source: Stream, destination: Stream): void
  /** Gives the places back: the set-up failed. */
  discard(): void
}

export interface CircuitsOptions {
  readonly limits: RelayLimits
  readonly policy: RelayPolicy
  readonly rates: RateBook
  readonly counters: Counters
  readonly events: Pick<RelayEvents, 'held' | 'ending'>
  readonly now: () => number
}

interface Circuit {
  readonly source: End
  readonly destination: End
  readonly openedAt: number
  readonly hold: Hold
  readonly tokens: { readonly source: string | undefined; readonly destination: string | undefined }
  readonly cut: AbortController
  readonly meter: Meter
  ending: { readonly reason: CutReason; readonly at: number; readonly timer: NodeJS.Timeout } | undefined
}

export function createCircuits(options: CircuitsOptions): Circuits {
  const { limits, policy, rates, counters, events, now } = options
  const places = createCountBook()
  const circuits = new Set<Circuit>()
  const perPeer = new Map<string, Set<Circuit>>()
  const drained: (() => void)[] = []

  const tokenIds = ({ tokens }: Circuit): Set<string> => new Set([tokens.source, tokens.destination].flatMap((id) => id ?? []))

  const add = (circuit: Circuit): void => {
    circuits.add(circuit)
    for (const { peer } of [circuit.source, circuit.destination]) {
      const own = perPeer.get(peer) ?? new Set()
      perPeer.set(peer, own.add(circuit))
    }
    counters.count({ circuits: 1 })
    counters.countFor(tokenIds(circuit), { circuits: 1 })
  }

  const remove = (circuit: Circuit): void => {
    if (!circuits.delete(circuit)) return
    for (const { peer } of [circuit.source, circuit.destination]) {
      const own = perPeer.get(peer)
      own?.delete(circuit)
      if (own?.size === 0) perPeer.delete(peer)
    }
    clearTimeout(circuit.ending?.timer)
    circuit.meter.settle(true)
    circuit.hold.release()
    counters.count({ circuits: -1 })
    counters.countFor(tokenIds(circuit), { circuits: -1 })
    if (circuits.size === 0) for (const resolve of drained.splice(0)) resolve()
  }

  const cut = (circuit: Circuit, reason: CutReason): void => {
    if (circuit.cut.signal.aborted) return
    counters.count({ circuitsCut: reason })
    counters.countFor(tokenIds(circuit), { circuitsCut: reason })
    circuit.cut.abort(new Error(CUT_TEXT[reason]))
  }

  /** Tells both ends; an earlier end stays. */
  const announce = (circuit: Circuit, reason: CutReason, at: number): void => {
    if (circuit.cut.signal.aborted || (circuit.ending !== undefined && circuit.ending.at <= at)) return
    clearTimeout(circuit.ending?.timer)
    circuit.ending = { reason, at, timer: setTimeout(() => cut(circuit, reason), Math.max(0, at - now())) }
    const [source, destination] = [circuit.source.peer, circuit.destination.peer]
    events.ending(source, { other: destination, reason, at })
    events.ending(destination, { other: source, reason, at })
  }

  const createCircuit = (source: End, destination: End, scopes: readonly Scope[], hold: Hold): Circuit => {
    const tokenOf = (end: End): string | undefined => scopes.find(({ kind, peers }) => kind === 'token' && peers.includes(end.peer))?.id
    const tokens = { source: tokenOf(source), destination: tokenOf(destination) }
    const circuit: Circuit = {
      source,
      destination,
      openedAt: now(),
      hold,
      tokens,
      cut: new AbortController(),
      ending: undefined,
      meter: createMeter({
        limits,
        rates,
        days: policy.days,
        now,
        scopes,
        events: {
          throttled: (scope, waitMs) => {
            counters.count({ throttledMs: waitMs })
            counters.countFor(tokenIds(circuit), { throttledMs: waitMs })
            for (const peer of scope.peers) events.held(peer, { limit: 'bytes_per_second', scope: scope.kind, until: now() + waitMs })
          },
          exhausted: (scope) => {
            const at = now() + limits.noticeMs
            for (const peer of scope.peers) events.held(peer, { limit: 'bytes_per_day', scope: scope.kind, until: policy.days.endOfDay() })
            announce(circuit, 'bytes_per_day', at)
            return circuit.ending?.at ?? at
          },
          full: () => {
            announce(circuit, 'circuit_bytes', now())
            cut(circuit, 'circuit_bytes')
          },
          carried: (toDestination, toSource) => {
            counters.count({ bytesSent: toDestination, bytesReceived: toSource })
            if (tokens.source !== undefined) counters.countFor([tokens.source], { bytesSent: toDestination, bytesReceived: toSource })
            if (tokens.destination !== undefined)
              counters.countFor([tokens.destination], { bytesSent: toSource, bytesReceived: toDestination })
          },
        },
      }),
    }
    return circuit
  }

  const join = (circuit: Circuit, source: Stream, destination: Stream): void => {
    const streams = [source, destination]
    let open = streams.length
    const onStreamClosed = (): void => {
      if (--open === 0) remove(circuit)
    }
    for (const stream of streams) stream.addEventListener('close', onStreamClosed, { once: true })
    const fail = (error: Error): void => {
      for (const stream of streams) stream.abort(error)
    }
    circuit.cut.signal.addEventListener('abort', () => fail(circuit.cut.signal.reason as Error), { once: true })
    // A stream that died during the set-up will not say so again.
    if (circuit.cut.signal.aborted || streams.some((stream) => stream.status !== 'open')) {
      fail(new Error('the circuit ended while it was set up'))
      remove(circuit)
      return
    }
    counters.count({ circuitsOpened: 1 })
    counters.countFor(tokenIds(circuit), { circuitsOpened: 1 })
    const { meter } = circuit
    startPump({ from: source, to: destination, charge: (bytes) => meter.charge(0, bytes), fail, closeMs: limits.closeMs })
    startPump({ from: destination, to: source, charge: (bytes) => meter.charge(1, bytes), fail, closeMs: limits.closeMs })
  }

  return {
    open(source, destination, scopes) {
      const claims = scopes.map((scope) => ({
        key: scope.key,
        max: scope.kind === 'bridge' ? Math.min(scope.limits.circuits ?? limits.maxCircuits, limits.maxCircuits) : scope.limits.circuits,
        scope,
      }))
      const taken = places.take(claims)
      if (taken.state === 'full') return { state: 'full', scope: taken.claim.scope }
      const circuit = createCircuit(source, destination, scopes, taken.hold)
      add(circuit)
      return {
        state: 'open',
        slot: {
          signal: circuit.cut.signal,
          join: (sourceStream, destinationStream) => join(circuit, sourceStream, destinationStream),
          discard: () => remove(circuit),
        },
      }
    },
    list: () =>
      [...circuits].map(({ source, destination, openedAt, meter }) => ({
        source: source.peer,
        destination: destination.peer,
        openedAt,
        bytes: meter.bytes,
      })),
    count: (scopeKey) => places.count(scopeKey),
    cutPeer(peer) {
      const id = peer.toString()
      for (const circuit of perPeer.get(id) ?? []) {
        const other = circuit.source.peer === id ? circuit.destination.peer : circuit.source.peer
        events.ending(other, { other: id, reason: 'peer', at: now() })
        cut(circuit, 'peer')
      }
    },
    async drain(ms) {
      const at = now() + ms
      for (const circuit of circuits) announce(circuit, 'draining', at)
      if (circuits.size > 0) await new Promise<void>((resolve) => drained.push(resolve))
    },
    cutAll() {
      for (const circuit of circuits) cut(circuit, 'draining')
    },
    limitsChanged() {
      for (const circuit of circuits) {
        if (circuit.ending?.reason === 'bytes_per_day') {
          clearTimeout(circuit.ending.timer)
          circuit.ending = undefined
        }
        circuit.meter.setScopes(scopesOfCircuit(circuit.source, circuit.destination, policy))
      }
    },
    sweep() {
      const at = now()
      for (const circuit of circuits) {
        circuit.meter.settle(false)
        const end = circuit.openedAt + limits.circuitSeconds * 1_000
        if (end - at <= limits.noticeMs + limits.sweepMs) announce(circuit, 'duration', Math.max(end, at + limits.noticeMs))
      }
    },
  }
}

const CUT_TEXT: Readonly<Record<CutReason, string>> = {
  bytes_per_day: 'a daily budget is used up',
  circuit_bytes: 'the circuit has carried as much as it may',
  duration: 'the circuit has lasted as long as it may',
  peer: 'the session of the other end is over',
  draining: 'the relay is stopping',
}
