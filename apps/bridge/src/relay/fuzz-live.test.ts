/**
 * Bad input over live streams of a whole bridge: whatever a caller writes on HOP, and whatever a destination answers on STOP, the bridge answers as the
 * specification says or resets that stream, holds nothing afterwards, and serves the next.
 */
import { usedMemory } from '@footbridge/protocols/fuzz/test-fuzz'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { Stream } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { lpStream } from '@libp2p/utils'
import { afterEach, describe, expect, it } from 'vitest'
import { createBench } from '../test-bridge.ts'
import {
  askHop,
  bufferedBytes,
  connectTo,
  eventually,
  framed,
  holdings,
  liftLimits,
  openCircuit,
  reserve,
  startRawPeer,
} from '../test-raw-peers.ts'
import { chooseSeed, createRandom, mutate, type Random } from '@footbridge/protocols/fuzz/test-mutations'
import { HOP_PROTOCOL, STATUS, STOP_PROTOCOL, decodeHopMessage, encodeHopMessage, encodeStopMessage, type HopMessage } from './wire.ts'

const HOP_INPUTS = 1_500
const STOP_INPUTS = 400
/** Streams at a time. */
const LANES = 16
const seed = chooseSeed()
const bench = createBench()

afterEach(() => bench.end())

const known = new Set<number>(Object.values(STATUS))

/** Bytes on a HOP stream, and the only statuses that may answer them; undefined: any. */
interface Input {
  readonly bytes: Uint8Array
  readonly allowed?: readonly number[]
  /** What follows the bytes: the end of the stream, a reset, or nothing. */
  readonly end: 'close' | 'reset' | 'wait'
}

async function makeInput(random: Random, valid: readonly HopMessage[]): Promise<Input> {
  const malformed = [STATUS.MALFORMED_MESSAGE]
  const message = encodeHopMessage(random.pick(valid))
  switch (random.below(9)) {
    case 0:
      return { bytes: framed(Uint8Array.of(0xff, 0xff, ...random.bytes(random.below(20)))), allowed: malformed, end: 'wait' }
    case 1: // More than a relay message may have, in full.
      return { bytes: framed(new Uint8Array(4_097 + random.below(4_000))), allowed: malformed, end: 'wait' }
    case 2: // A length that claims gigabytes, and a length without an end.
      return {
        bytes: Uint8Array.of(0xff, 0xff, 0xff, 0xff, random.below(2) === 0 ? 0x0f : 0xff, ...random.bytes(30)),
        allowed: malformed,
        end: 'close',
      }
    case 3: // Cut off, then the end.
      return { bytes: framed(message).slice(0, 1 + random.below(message.length)), allowed: malformed, end: 'close' }
    case 4:
      return { bytes: framed(message).slice(0, random.below(message.length + 2)), end: 'reset' }
    case 5: {
      const { type: _, ...untyped } = random.pick(valid)
      return {
        bytes: framed(encodeHopMessage({ ...untyped, ...(random.below(2) === 0 && { type: 'STATUS', status: random.below(999) }) })),
        allowed: [STATUS.UNEXPECTED_MESSAGE, STATUS.MALFORMED_MESSAGE],
        end: 'wait',
      }
    }
    case 6: // Well formed, about a peer that nobody has heard of.
      return {
        bytes: framed(
          encodeHopMessage({
            type: 'CONNECT',
            peer: { id: peerIdFromPrivateKey(await generateKeyPair('Ed25519')).toMultihash().bytes, addrs: [] },
          }),
        ),
        allowed: [STATUS.NO_RESERVATION, STATUS.PERMISSION_DENIED],
        end: 'wait',
      }
    case 7: // Two messages at once.
      return { bytes: Buffer.concat([framed(message), framed(mutate(message, random).slice(0, 4_000))]), end: 'wait' }
    default:
      return { bytes: framed(mutate(message, random).slice(0, 8_000)), end: random.pick(['close', 'wait']) }
  }
}

/** The status that answers, or undefined for a reset or an end without one. */
async function readStatus(stream: Stream): Promise<number | undefined> {
  const frames = lpStream(stream)
  try {
    const reply = decodeHopMessage((await frames.read({ signal: AbortSignal.timeout(20_000) })).subarray())
    expect(reply.type).toBe('STATUS')
    return reply.status
  } catch (error) {
    if (stream.status === 'open' && stream.remoteWriteStatus === 'writable') throw error
    return undefined
  }
}

async function inLanes(count: number, run: (index: number) => Promise<void>): Promise<void> {
  let next = 0
  await Promise.all(
    Array.from({ length: LANES }, async () => {
      for (let index = next++; index < count; index = next++) await run(index)
    }),
  )
}

describe('a bridge that is sent bad messages', { timeout: 120_000 }, () => {
  it('answers bad HOP messages as the specification says, keeps nothing, and serves the next', async () => {
    const bridge = await bench.startBridge()
    await liftLimits(bridge)
    const mallory = await startRawPeer(bench, bridge)
    const alice = await startRawPeer(bench, bridge, { name: 'Alice' })
    const valid: HopMessage[] = [{ type: 'RESERVE' }, connectTo(alice), { type: 'STATUS', status: 100 }]
    const random = createRandom(seed)
    const attack = async (index: number): Promise<void> => {
      const { bytes, allowed, end } = await makeInput(random, valid)
      const stream = await mallory.connection.newStream(HOP_PROTOCOL)
      stream.send(bytes)
      if (end === 'reset') return stream.abort(new Error('gone'))
      if (end === 'close') await stream.close().catch(() => {})
      const status = await readStatus(stream)
      const isRight = status === undefined ? true : allowed === undefined ? known.has(status) : allowed.includes(status)
      // Nobody here has a reservation and Mallory has no session: nothing that is sent may be granted.
      if (!isRight || status === STATUS.OK)
        throw new Error(
          `answered ${String(status)} to input ${index} of FUZZ_SEED=${seed}: ${Buffer.from(bytes.subarray(0, 100)).toString('hex')}`,
        )
      // Whether the message was a right one or not: an answer was owed to everything that was whole.
      if (allowed !== undefined && end === 'wait') expect(status, `no answer to input ${index} of FUZZ_SEED=${seed}`).toBeDefined()
      stream.abort(new Error('done'))
    }
    await inLanes(200, attack)
    const before = await usedMemory()
    await inLanes(HOP_INPUTS - 200, attack)
    await eventually(() => expect(holdings(bridge)).toMatchObject({ connections: 2, streams: 0, circuits: 0, reachable: 0 }))
    expect((await usedMemory()) - before).toBeLessThan(8_000_000)
    await reserve(alice)
    const { near, far } = await openCircuit(mallory, alice)
    const heard = new Promise((resolve) => far.addEventListener('message', resolve, { once: true }))
    far.resume()
    near.send(Uint8Array.of(1))
    await heard
  })

  it('takes a bad answer to STOP for a destination that failed, and gives the slot back', async () => {
    const bridge = await bench.startBridge()
    await liftLimits(bridge)
    const alice = await startRawPeer(bench, bridge, { name: 'Alice' })
    const bob = await startRawPeer(bench, bridge)
    await reserve(alice)
    const random = createRandom(seed)
    const sent: string[] = []
    await alice.node.handle(
      STOP_PROTOCOL,
      (stream) => {
        const answer = mutate(encodeStopMessage({ type: 'STATUS', status: 200 + random.below(300) }), random).slice(0, 8_000)
        const [bytes, end] = random.pick<[Uint8Array, 'close' | 'reset' | 'wait']>([
          [framed(answer), 'close'],
          [framed(answer), 'reset'],
          [Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff), 'close'],
          [framed(new Uint8Array(6_000)), 'wait'],
          [framed(encodeStopMessage({ type: 'CONNECT', status: 100 })), 'wait'],
          [framed(encodeStopMessage({ type: 'STATUS' })), 'wait'],
          [framed(encodeStopMessage({ status: 100 })), 'wait'],
          [framed(answer).slice(0, 1 + random.below(answer.length + 1)), 'close'],
          [new Uint8Array(), 'reset'],
        ])
        sent.push(Buffer.from(bytes.subarray(0, 60)).toString('hex'))
        if (bytes.length > 0) stream.send(bytes)
        if (end === 'close') stream.close().catch(() => {})
        if (end === 'reset') stream.abort(new Error('no'))
      },
      { maxInboundStreams: 1_000 },
    )
    const statuses = new Map<number | undefined, number>()
    await inLanes(STOP_INPUTS, async () => {
      const { reply, stream } = await askHop(bob.connection, connectTo(alice))
      statuses.set(reply.status, (statuses.get(reply.status) ?? 0) + 1)
      stream.abort(new Error('done'))
    })
    // A mutation can hit upon OK; then it is a circuit, and ends with its streams.
    const failed = statuses.get(STATUS.CONNECTION_FAILED) ?? 0
    expect(
      [...statuses.keys()].every((status) => status === STATUS.OK || status === STATUS.CONNECTION_FAILED),
      `FUZZ_SEED=${seed}`,
    ).toBe(true)
    expect(failed).toBeGreaterThan(STOP_INPUTS * 0.8)
    await eventually(() => expect([holdings(bridge), bufferedBytes(bridge)]).toMatchObject([{ circuits: 0, streams: 0, reachable: 1 }, 0]))
    const { far } = await openCircuit(bob, alice)
    expect(far.status).toBe('open')
  })
})
