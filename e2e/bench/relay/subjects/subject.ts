/**
 * What a measured relay is: how it starts, where it listens, and what can be asked of its process. One file of this folder for each.
 * Not here: the load on it (../load/) and what is made of the answers (../measure.ts).
 */
import type { MemoryUse } from '../probe.ts'

/** Where the load goes and how. Crosses to the load processes as JSON. */
export interface RelayEntry {
  /** `libp2p`: circuit-relay-v2 behind a multiaddr. `ws`: two sockets are joined by their path, nothing is encrypted. */
  readonly protocol: 'libp2p' | 'ws'
  /** A multiaddr with /p2p, or `ws://host:port`. */
  readonly address: string
  /** Where whoever reserves has to log in first. */
  readonly login?: { readonly origin: string; readonly token: string }
}

export interface RelaySubject {
  /** As `--only` calls it. */
  readonly id: string
  /** As the table calls it. */
  readonly name: string
  /** What exactly ran, for the head of the output. */
  readonly version: string
  /** Builds what has to be built, with the network at hand. */
  prepare?(): void
  /** Why it cannot run here, in a sentence; undefined when it can. */
  missing?(): string | undefined
  start(): Promise<RunningRelay>
}

export interface RunningRelay {
  readonly entry: RelayEntry
  readonly pid: number
  /** Collects garbage, then says what is left. */
  memory(): Promise<MemoryUse>
  /** Runs `work` under the sampling profiler; undefined where the process has none of ours. */
  profile?(work: () => Promise<unknown>): Promise<CpuProfile>
  /** Idempotent. */
  stop(): Promise<void>
}

/** The part of V8's format that is read here. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
  }[]
  readonly samples: readonly number[]
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[]
}
