/**
 * For tests: many bad messages to one handler of a protocol, each on a stream of its own. Every one of them must end, be answered as it is owed, and leave nothing behind: what
 * the process keeps is measured while it runs.
 * Not here: the stream (test-served-stream.ts), what is sent (test-messages.ts), how a handler is come by (each test).
 */
import type { Connection, StreamHandler } from '@libp2p/interface'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createRandom, type Random } from './test-mutations.ts'
import { ServedStream } from './test-served-stream.ts'

/** Streams at a time. */
const LANES = 32
/** Inputs of one lane before timers and sockets get their turn. */
const INPUTS_PER_TURN = 8
/** A stream that has not ended by then never will: far above every deadline of a handler that should not be waiting for one. */
const STUCK_MS = 120_000
/** What a run may leave behind, whatever its length: caches fill, and collecting is not exact. Of a hundred thousand inputs, 160 bytes each. */
const MAX_GROWTH_BYTES = 16_000_000
/** What of each stream may wait for the deadline that it would have had, ten seconds at the most: the deadline itself, and not the stream. */
const MAX_WAITING_BYTES = 1_500
/** The part of the inputs that comes before the first measurement. */
const WARM_UP = 5
/** Above any such deadline. */
const SETTLED_WITHIN_MS = 30_000
/** Measured so often: what grows is seen before it is the end of the process. */
const INPUTS_PER_MEASUREMENT = 20_000

export interface FuzzInput {
  readonly bytes: Uint8Array
  /** What follows the bytes: the end of the stream, a reset, or the end once something was answered. */
  readonly end: 'close' | 'reset' | 'answered'
  /** Told what was answered, in whole. @throws what is wrong with it. */
  readonly check?: ((answer: Uint8Array) => void) | undefined
}

export interface FuzzTarget {
  readonly protocol: string
  readonly handler: StreamHandler
  /** Over which the streams come. */
  readonly connection: Connection
  readonly make: (random: Random) => FuzzInput
  /** Resolves when the handler has done with a stream whose remote has ended; by default when it has returned and the stream is closed. */
  readonly done?: (stream: ServedStream, handled: Promise<void>) => Promise<unknown>
}

export interface FuzzFigures {
  readonly inputs: number
  readonly ms: number
  /** In use above where it began, after each part of the run. */
  readonly growth: readonly number[]
}

/** @throws Error that names the input and the seed, for whatever goes wrong. */
export async function fuzz(target: FuzzTarget, { inputs, seed }: { readonly inputs: number; readonly seed: number }): Promise<FuzzFigures> {
  const { protocol, connection } = target
  const random = createRandom(seed)
  let count = 0

  const attack = async (): Promise<void> => {
    const index = count++
    const input = target.make(random)
    try {
      if (connection.status !== 'open') throw new Error('its connection was closed, for which no bad message is a reason')
      await serve(target, input)
    } catch (cause) {
      const start = Buffer.from(input.bytes.subarray(0, 120)).toString('hex')
      throw new Error(
        `${protocol}: ${cause instanceof Error ? cause.message : String(cause)} (input ${index} of FUZZ_SEED=${seed}, ${start})`,
        {
          cause,
        },
      )
    }
  }
  const attackTimes = async (times: number): Promise<void> => {
    let left = times
    const lane = async (): Promise<void> => {
      while (left > 0) {
        for (let turn = INPUTS_PER_TURN; turn > 0 && left-- > 0; turn--) await attack()
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    await Promise.all(Array.from({ length: Math.min(LANES, times) }, lane))
  }

  // Caches fill first.
  await attackTimes(Math.ceil(inputs / WARM_UP))
  const before = await usedMemory()
  const growth: number[] = []
  let ms = 0
  for (let left = inputs - count; left > 0; left -= INPUTS_PER_MEASUREMENT) {
    const startedAt = performance.now()
    await attackTimes(Math.min(left, INPUTS_PER_MEASUREMENT))
    ms += performance.now() - startedAt
    growth.push((await usedMemory()) - before)
  }
  const peak = Math.max(...growth)
  for (const until = performance.now() + SETTLED_WITHIN_MS; (growth.at(-1) ?? 0) > MAX_GROWTH_BYTES && performance.now() < until;) {
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    growth.push((await usedMemory()) - before)
  }
  const figures = { inputs: count, ms, growth }
  if (process.env['FUZZ_FIGURES'] !== undefined) process.stderr.write(`${describe(protocol, figures)}\n`)
  const fault =
    (growth.at(-1) ?? 0) > MAX_GROWTH_BYTES
      ? 'keeps something of what it is sent'
      : peak > MAX_GROWTH_BYTES + inputs * MAX_WAITING_BYTES
        ? 'keeps too much for too long'
        : undefined
  if (fault !== undefined) throw new Error(`${protocol} ${fault}. ${describe(protocol, figures)}, FUZZ_SEED=${seed}`)
  return figures
}

/** One stream, as libp2p serves it. */
async function serve({ protocol, handler, connection, done = untilClosed }: FuzzTarget, { bytes, end, check }: FuzzInput): Promise<void> {
  const stream = new ServedStream(protocol)
  const handled = handle(handler, stream, connection)
  stream.give(bytes)
  if (end === 'answered') await inTime(stream.heard, 'no answer came')
  if (end === 'reset') stream.cut()
  else stream.end()
  await inTime(done(stream, handled), `its stream does not end (${stream.status}, ${stream.sent().length} bytes were answered)`)
  stream.cut()
  check?.(stream.sent())
  stream.forget()
}

async function handle(handler: StreamHandler, stream: ServedStream, connection: Connection): Promise<void> {
  try {
    await handler(stream, connection)
  } catch (error) {
    stream.abort(error instanceof Error ? error : new Error('the handler failed'))
  }
}

const untilClosed = (stream: ServedStream, handled: Promise<void>): Promise<unknown> => Promise.all([stream.closed, handled])

/** @throws Error with these words when it takes for ever. */
export async function inTime(work: Promise<unknown>, otherwise: string): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(otherwise)), STUCK_MS)
  })
  try {
    await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

function describe(protocol: string, { inputs, ms, growth }: FuzzFigures): string {
  const megabytes = growth.map((bytes) => (bytes / 1e6).toFixed(1)).join(' ')
  return `${protocol}: ${inputs} inputs in ${(ms / 1000).toFixed(1)} s, MB above the beginning: ${megabytes}`
}

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Bytes of this process that are in use, after collecting garbage; a few turns first, so that what is ending has ended. */
export async function usedMemory(): Promise<number> {
  for (let round = 0; round < 4; round++) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    collect()
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
