/**
 * A tunnel's way down: a streamed GET where proxies let it through, long polling where they hold it back. It asks both ways until one has shown itself
 * (SPEC.md T5 to T8), so that nobody waits for the decision.
 * Not here: what goes up (uplink.ts).
 */
import { createTunnelFrameDecoder, encodeTunnelFrames, type TunnelFrame } from '@footbridge/shared/wire/tunnel-frame'
import { createRetry, pause } from './retry.ts'
import { isFinal } from './tunnel-requests.ts'
import type { LinkParts } from './uplink.ts'

/** How long a stream may keep what a poll has shown to be there, beside two round trips. */
const HOLD_MS = 1_000
/** Signs of life that may be missing: two, and a little. */
const MISSED_HEARTBEATS = 2.7

/** Of a heartbeat's time: a stream that has once begun and then stood still is believed again when something came this late. */
const PROOF = 0.8

/** `probing`: both. */
export type DownlinkMode = 'probing' | 'streamed' | 'polled'

export interface Downlink {
  readonly mode: DownlinkMode
}

export interface DownlinkParts extends LinkParts {
  /** Each time something comes down. */
  readonly onHeard: () => void
}

/** Starts at once, ends with `signal`. */
export function createDownlink({ pipe, requests, apply, onFailure, onHeard, signal, now, random }: DownlinkParts): Downlink {
  const retry = createRetry({ now, random })
  const holdMs = HOLD_MS + 2 * requests.openMs
  const silenceMs = requests.heartbeatMs * MISSED_HEARTBEATS
  let mode: DownlinkMode = 'probing'
  let isPolling = false
  /** A stream began and then gave nothing more: there are proxies that let the first bytes through and hold the rest. */
  let hasStalled = false
  /** When the stream last gave something, or was last put to the proof. */
  let streamedAt = now()
  let stream = new AbortController()

  const heard = (frames: readonly TunnelFrame[]): void => {
    retry.succeeded()
    apply(frames)
    onHeard()
  }

  /** @returns false when it is over. */
  const rest = async (error: unknown, since: number): Promise<boolean> => {
    if (signal.aborted) return false
    const delayMs = isFinal(error) ? undefined : retry.failed(since)
    if (delayMs === undefined) onFailure(error instanceof Error ? error : new Error('the tunnel failed'))
    else await pause(delayMs, signal)
    return !signal.aborted
  }

  const probe = (): void => {
    if (mode === 'streamed') {
      mode = 'probing'
      streamedAt = now()
    }
    if (!isPolling) void pollOn()
  }

  const readStream = async (): Promise<void> => {
    stream = new AbortController()
    const { signal: silent } = stream
    const startedAt = now()
    let timer: ReturnType<typeof setTimeout> | undefined
    const watch = (): void => {
      clearTimeout(timer)
      timer = setTimeout(() => {
        hasStalled ||= streamedAt >= startedAt
        stream.abort(new Error('the stream fell silent'))
      }, silenceMs)
    }
    watch()
    try {
      const body = await requests.down(pipe.flow(), AbortSignal.any([signal, silent]))
      const decoder = createTunnelFrameDecoder()
      const reader = body.getReader()
      for (let next = await reader.read(); !next.done; next = await reader.read()) {
        watch()
        const frames = decoder.decode(next.value)
        if (frames.length === 0) continue
        streamedAt = now()
        if (!hasStalled || streamedAt - startedAt >= requests.heartbeatMs * PROOF) mode = 'streamed'
        heard(frames)
      }
    } finally {
      clearTimeout(timer)
    }
  }

  const streamOn = async (): Promise<void> => {
    while (!signal.aborted && mode !== 'polled') {
      const startedAt = now()
      try {
        await readStream()
        // An answer that ended without a frame was made up on the way.
        if (streamedAt >= startedAt) continue
        probe()
        if (!(await rest(undefined, startedAt))) return
      } catch (error) {
        if (signal.aborted || isOutvoted()) return
        probe()
        if (!(await rest(error, startedAt))) return
      }
    }
  }

  /** The poll has decided meanwhile; asked by name because the compiler takes `mode` for what it was. */
  const isOutvoted = (): boolean => mode === 'polled'

  const pollOn = async (): Promise<void> => {
    isPolling = true
    while (!signal.aborted && mode !== 'streamed') {
      const startedAt = now()
      const waitMs = mode === 'polled' ? requests.pollMs : holdMs
      try {
        heard(await requests.poll(encodeTunnelFrames([pipe.flow(), { type: 'wait', ms: Math.round(waitMs) }]), signal))
        if (mode === 'probing' && now() - streamedAt >= holdMs + (hasStalled ? requests.heartbeatMs : 0)) {
          mode = 'polled'
          stream.abort(new Error('polls come through and the stream does not'))
        }
      } catch (error) {
        if (!(await rest(error, startedAt))) break
      }
    }
    isPolling = false
  }

  void streamOn()
  void pollOn()
  return {
    get mode() {
      return mode
    },
  }
}
