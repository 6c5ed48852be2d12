/**
 * A tunnel's way up: small POSTs, at most two on their way, their size by how fast they go. What a lost one carried goes again (SPEC.md P8, T4, T9, T10).
 * Not here: what comes down (downlink.ts), except the flow frames in the answers.
 */
import { encodeTunnelFrames, type TunnelFrame } from '@footbridge/shared/wire/tunnel-frame'
import type { BytePipe } from '@footbridge/shared/tunnel/byte-pipe'
import { createFlights, type Flight } from '@footbridge/shared/tunnel/flights'
import { createRetry, pause } from './retry.ts'
import { isFinal, type TunnelRequests } from './tunnel-requests.ts'

/** With the streamed answer, half of what a browser gives one origin over HTTP/1.1. */
const MAX_FLIGHTS = 2
const FIRST_BODY_BYTES = 32 * 1024
const MIN_BODY_BYTES = 8 * 1024
const MAX_BODY_BYTES = 256 * 1024
/** A request this fast may be larger next time; one this slow is halved: other requests and their answers wait behind it. */
const FAST_MS = 300
const SLOW_MS = 2_000
/** The bridge drops a tunnel from which nothing came for 20 s. */
const KEEP_ALIVE_MS = 6_000
/** The last words of a cut tunnel. */
const FAREWELL_MS = 2_000

export interface LinkParts {
  readonly pipe: BytePipe
  readonly requests: TunnelRequests
  /** Takes the frames of an answer. */
  readonly apply: (frames: readonly TunnelFrame[]) => void
  /** It cannot go on. */
  readonly onFailure: (error: Error) => void
  readonly signal: AbortSignal
  readonly now: () => number
  readonly random: () => number
}

export interface Uplink {
  /** There may be something to carry. */
  work(): void
  /** The bridge gave a sign of life: gives one back when it is time. */
  heard(): void
  /** One last request, whose fate nobody waits for. */
  farewell(): void
}

export function createUplink({ pipe, requests, apply, onFailure, signal, now, random }: LinkParts): Uplink {
  const flights = createFlights(pipe, MAX_FLIGHTS)
  const retry = createRetry({ now, random })
  let bodyBytes = FIRST_BODY_BYTES
  let news = false
  let isTelling = false
  let isResting = false
  let isScheduled = false
  let askedAt = now()

  const look = (): void => {
    while (!signal.aborted && !isResting && !pipe.isOver) {
      const flight = flights.start(bodyBytes)
      if (flight !== undefined) void send(flight)
      else if ((news || pipe.isFlowDue) && !isTelling && flights.count < MAX_FLIGHTS) void tell()
      else return
    }
  }

  /** What is written in one go travels together. */
  const work = (): void => {
    if (isScheduled) return
    isScheduled = true
    queueMicrotask(() => {
      isScheduled = false
      look()
    })
  }

  const body = (frames: readonly TunnelFrame[]): Uint8Array<ArrayBuffer> => {
    news = false
    askedAt = now()
    return encodeTunnelFrames([pipe.flow(), ...frames])
  }

  const send = async (flight: Flight): Promise<void> => {
    const startedAt = now()
    try {
      apply(await requests.up(body(flight.frames), signal))
    } catch (error) {
      flights.settle(flight, false)
      bodyBytes = Math.max(MIN_BODY_BYTES, bodyBytes / 2)
      return rest(error, startedAt)
    }
    if (!flights.settle(flight, true)) return rest(new Error('the bridge takes nothing'), startedAt)
    retry.succeeded()
    const tookMs = now() - startedAt
    if (tookMs > SLOW_MS) bodyBytes = Math.max(MIN_BODY_BYTES, bodyBytes / 2)
    else if (tookMs < FAST_MS && flight.to - flight.from >= bodyBytes) bodyBytes = Math.min(MAX_BODY_BYTES, bodyBytes * 2)
    look()
  }

  /** A request that carries no bytes. */
  const tell = async (): Promise<void> => {
    isTelling = true
    const startedAt = now()
    try {
      apply(await requests.up(body([]), signal))
      retry.succeeded()
    } catch (error) {
      return await rest(error, startedAt)
    } finally {
      isTelling = false
    }
    look()
  }

  const rest = async (error: unknown, startedAt: number): Promise<void> => {
    if (signal.aborted) return
    news = true
    const delayMs = isFinal(error) ? undefined : retry.failed(startedAt)
    if (delayMs === undefined) return onFailure(error instanceof Error ? error : new Error('the tunnel failed'))
    isResting = true
    await pause(delayMs, signal)
    isResting = false
    work()
  }

  return {
    work,
    heard() {
      news ||= now() - askedAt >= KEEP_ALIVE_MS
      if (news || pipe.isFlowDue) work()
    },
    farewell() {
      requests.up(body(pipe.outgoing(0, 0).frames), AbortSignal.timeout(FAREWELL_MS)).catch(() => {})
    },
  }
}
