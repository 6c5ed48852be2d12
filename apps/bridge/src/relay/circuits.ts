/**
 * Running circuits: their slots (taken before anything is opened), their ends and their bytes. A circuit is two pumps over two streams; what fails in
 * one aborts both, and the slot is free when both streams are closed.
 * Not here: how a circuit is asked for (hop.ts).
 */
import type { PeerId, Stream } from '@libp2p/interface'
import type { RelayLimits } from './limits.ts'
import type { Meter } from './meter.ts'
import { startPump } from './pump.ts'
import type { CircuitInfo, RelayAccount } from './relay.ts'

export interface Circuits {
  /** Takes a slot for a circuit that is about to be set up, or undefined when there is no room. */
  open(source: PeerId, destination: PeerId, accounts: readonly RelayAccount[]): CircuitSlot | undefined
  list(): readonly CircuitInfo[]
  /** Cuts every circuit that the peer is an end of, those being set up included. */
  cutPeer(peer: PeerId, reason: Error): void
  cutAll(reason: Error): void
  /** Cuts circuits that have lasted longer than they were promised. */
  sweep(): void
}

export interface CircuitSlot {
  /** Aborted when the circuit is cut while it is set up. */
  readonly signal: AbortSignal
  /** Joins the two streams; the slot then lives as long as they do. */
  join(source: Stream, destination: Stream): void
  /** Gives the slot back: the set-up failed. */
  discard(): void
}

interface Circuit {
  readonly source: string
  readonly destination: string
  readonly openedAt: number
  bytes: number
  readonly cut: AbortController
}

export function createCircuits(options: { readonly limits: RelayLimits; readonly meter: Meter; readonly now: () => number }): Circuits {
  const { limits, meter, now } = options
  const circuits = new Set<Circuit>()
  const perPeer = new Map<string, Set<Circuit>>()

  const roomFor = (peer: string): boolean => (perPeer.get(peer)?.size ?? 0) < limits.maxCircuitsPerPeer

  const add = (circuit: Circuit): void => {
    circuits.add(circuit)
    for (const peer of [circuit.source, circuit.destination]) {
      const own = perPeer.get(peer) ?? new Set()
      perPeer.set(peer, own.add(circuit))
    }
  }

  const remove = (circuit: Circuit): void => {
    circuits.delete(circuit)
    for (const peer of [circuit.source, circuit.destination]) {
      const own = perPeer.get(peer)
      own?.delete(circuit)
      if (own?.size === 0) perPeer.delete(peer)
    }
  }

  const join = (circuit: Circuit, accounts: readonly RelayAccount[], source: Stream, destination: Stream): void => {
    const streams = [source, destination]
    let open = streams.length
    const onStreamClosed = (): void => {
      if (--open === 0) remove(circuit)
    }
    for (const stream of streams) stream.addEventListener('close', onStreamClosed, { once: true })
    const fail = (error: Error): void => {
      for (const stream of streams) stream.abort(error)
    }
    circuit.cut.signal.addEventListener(
      'abort',
      () => {
        fail(circuit.cut.signal.reason instanceof Error ? circuit.cut.signal.reason : new Error('cut'))
      },
      { once: true },
    )
    const charge: Parameters<typeof startPump>[0]['charge'] = (bytes) => {
      circuit.bytes += bytes
      return circuit.bytes > limits.circuitBytes ? { state: 'exhausted', account: 'this circuit' } : meter.charge(accounts, bytes)
    }
    // A stream that died during the set-up will not say so again.
    if (circuit.cut.signal.aborted || streams.some((stream) => stream.status !== 'open')) {
      fail(new Error('the circuit ended while it was set up'))
      remove(circuit)
      return
    }
    startPump({ from: source, to: destination, charge, fail, closeMs: limits.closeMs })
    startPump({ from: destination, to: source, charge, fail, closeMs: limits.closeMs })
  }

  return {
    open(source, destination, accounts) {
      const circuit: Circuit = {
        source: source.toString(),
        destination: destination.toString(),
        openedAt: now(),
        bytes: 0,
        cut: new AbortController(),
      }
      if (circuits.size >= limits.maxCircuits || !roomFor(circuit.source) || !roomFor(circuit.destination)) return undefined
      add(circuit)
      return {
        signal: circuit.cut.signal,
        join(sourceStream, destinationStream) {
          join(circuit, accounts, sourceStream, destinationStream)
        },
        discard() {
          remove(circuit)
        },
      }
    },
    list: () => [...circuits].map(({ source, destination, openedAt, bytes }) => ({ source, destination, openedAt, bytes })),
    cutPeer(peer, reason) {
      for (const circuit of perPeer.get(peer.toString()) ?? []) circuit.cut.abort(reason)
    },
    cutAll(reason) {
      for (const circuit of circuits) circuit.cut.abort(reason)
    },
    sweep() {
      const oldest = now() - limits.circuitSeconds * 1_000
      for (const circuit of circuits)
        if (circuit.openedAt <= oldest) circuit.cut.abort(new Error('the circuit has lasted as long as it may'))
    },
  }
}
