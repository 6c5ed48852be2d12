/** Random and spoiled bytes into both layers: never an exception that leaves them, never more held than the bounds say. `FUZZ_SEED` repeats a run. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import { createBufferPool } from './noise/buffer-pool.ts'
import { SealedStream } from './noise/sealed-stream.ts'
import { aeads } from './noise/test-noise.ts'
import { createWires, pattern } from './test-wire.ts'
import { createHeader, INITIAL_WINDOW_BYTES, TYPE } from './yamux/frame.ts'
import { YamuxMuxer } from './yamux/yamux-muxer.ts'

/** `npm test` takes 50 000. */
const INPUTS = Number(process.env['FUZZ_INPUTS'] ?? 5_000)
/** A body that was announced swallows what follows, so no connection lives for ever. */
const INPUTS_PER_CONNECTION = 200
const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 31)
const limits = { maxInboundStreams: 20, maxOutboundStreams: 20 }

/** Mulberry32. @returns 0 to `limit` - 1 */
function createRandom(): (limit: number) => number {
  let state = seed
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit
  }
}

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
const usedMemory = (): number => {
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** Frames that could be real, three in four of them, then perhaps spoiled. */
function makeInput(below: (limit: number) => number): Uint8Array {
  const parts: Uint8Array[] = []
  for (let count = 1 + below(4); count > 0; count--) {
    const type = below(20) === 0 ? below(256) : below(3)
    const streamId = type === TYPE.ping ? 0 : below(40) === 0 ? below(2 ** 32) : 1 + 2 * below(30)
    const length = type === TYPE.data ? (below(30) === 0 ? below(2 ** 32) : below(300)) : below(3) === 0 ? below(2 ** 32) : below(1_000)
    parts.push(createHeader(type, below(5) === 0 ? below(2 ** 16) : below(16), streamId, length))
    if (type === TYPE.data && length < 300) parts.push(pattern(length, length + 1))
  }
  const bytes = Uint8Array.from(Buffer.concat(parts))
  if (below(4) > 0) return bytes
  const at = below(bytes.length)
  if (below(2) === 0) return bytes.slice(0, at)
  bytes[at] = below(256)
  return bytes
}

it(`lets ${INPUTS} inputs end a muxer or be understood by it (seed ${seed})`, async () => {
  const below = createRandom()
  let ended = 0
  let understood = 0
  let before = 0
  for (let input = 0; input < INPUTS;) {
    const [, wire] = createWires({ capacity: 2 ** 30 })
    const muxer = new YamuxMuxer(wire, limits)
    const ways = below(4)
    if (ways > 0) {
      muxer.addEventListener('stream', ({ detail }) => {
        if (ways === 1) detail.divert(() => {})
        if (ways === 2) detail.addEventListener('message', ({ data }) => void (detail.writeStatus === 'writable' && detail.send(data)))
      })
    }
    for (let left = INPUTS_PER_CONNECTION; left > 0 && wire.status === 'open' && input < INPUTS; left--) {
      wire.onData(makeInput(below))
      if (++input % 50 === 0) await new Promise<void>((resolve) => void setImmediate(resolve))
      const { streams } = muxer
      expect(streams.length).toBeLessThanOrEqual(limits.maxInboundStreams)
      for (const stream of streams) expect(stream.readBufferLength).toBeLessThanOrEqual(INITIAL_WINDOW_BYTES)
      if (wire.status === 'open') understood++
    }
    if (wire.status === 'open') muxer.abort(new Error('long enough'))
    else ended++
    expect(muxer.streams).toEqual([])
    expect(wire.status).toBe('aborted')
    if (input < INPUTS / 5) before = usedMemory()
  }
  expect(ended).toBeGreaterThan(INPUTS / 500)
  expect(understood).toBeGreaterThan(INPUTS / 2)
  expect(usedMemory() - before).toBeLessThan(32 * 1024 * 1024)
}, 120_000)

it.each(aeads)(
  `lets ${INPUTS} inputs end records by $name or be understood by them (seed ${seed})`,
  (aead) => {
    const below = createRandom()
    const [sendKey, receiveKey] = [pattern(32, 1), pattern(32, 2)]
    const pool = createBufferPool()
    const written: Uint8Array[] = []
    const writeLink = {
      attach: () => {},
      write: (pieces: readonly Uint8Array[]) => (written.push(...pieces.map((piece) => piece.slice())), true),
    }
    const readLink = { attach: () => {}, write: () => true }
    let aborted = 0
    let opened = 0
    let before = 0
    for (let input = 0; input < INPUTS;) {
      const [near, far] = createWires()
      const alice = new SealedStream({ stream: near, link: writeLink, aead, pool, sendKey, receiveKey })
      const bob = new SealedStream({ stream: far, link: readLink, aead, pool, sendKey: receiveKey, receiveKey: sendKey })
      bob.attach((chunk) => (opened += chunk.length))
      for (let left = below(INPUTS_PER_CONNECTION); left > 0 && bob.status === 'open' && input < INPUTS; left--) {
        alice.write([pattern(below(200), input), pattern(below(20), input)])
        const bytes = Uint8Array.from(Buffer.concat(written.splice(0)))
        const how = below(30)
        const at = below(Math.max(1, bytes.length))
        if (how === 0) bytes[at] = below(256)
        else if (how === 1) bob.receive(pattern(below(64), input), 0)
        // A flipped length waits for up to 64 KiB: more than that never.
        bob.receive(bytes.subarray(0, how === 2 ? at : bytes.length), 0)
        input++
      }
      if (bob.status === 'aborted') aborted++
      if (input < INPUTS / 5) before = usedMemory()
    }
    expect(aborted).toBeGreaterThan(INPUTS / 500)
    expect(opened).toBeGreaterThan(INPUTS * 10)
    expect(usedMemory() - before).toBeLessThan(32 * 1024 * 1024)
  },
  60_000,
)
