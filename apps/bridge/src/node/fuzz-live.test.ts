/**
 * The bad messages of fuzz.test.ts over real connections: TCP, noise, yamux and multistream-select, every protocol of the bridge's node. 50 for each here, and a tenth of FUZZ_INPUTS
 * where that is given. The connection must live through all of them.
 */
import type { Connection } from '@libp2p/interface'
import { inTime, usedMemory } from '@footbridge/protocols/fuzz/test-fuzz'
import { chooseSeed, createRandom } from '@footbridge/protocols/fuzz/test-mutations'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createBench } from '../test-bridge.ts'
import { bufferedBytes, eventually } from '../test-raw-peers.ts'
import { LIBP2P_TARGETS, OWN_TARGETS, type BridgeTarget } from './test-fuzz-targets.ts'
import { startFuzzedBridge, startMallory } from './test-fuzzed-bridge.ts'

const INPUTS = Math.ceil(Number(process.env['FUZZ_INPUTS'] ?? 500) / 10)
/** Streams at a time; each over a connection of its own, because protocols that are asked once have one stream for each. */
const LANES = 4
const MAX_GROWTH_BYTES = 16_000_000
const seed = chooseSeed()
const bench = createBench()

afterEach(() => bench.end())

/** One stream, until the bridge has ended it, or for those that it keeps, answered. */
async function attack(
  connection: Connection,
  { protocol, make, done }: BridgeTarget,
  random: ReturnType<typeof createRandom>,
): Promise<void> {
  if (connection.status !== 'open') throw new Error('the bridge closed the connection, for which no bad message is a reason')
  const { bytes, end } = make(random, connection.remotePeer.toMultihash().bytes)
  const stream = await connection.newStream(protocol)
  const closed = new Promise((resolve) => stream.addEventListener('close', resolve, { once: true }))
  const heard = new Promise((resolve) => stream.addEventListener('message', resolve))
  const ended = new Promise<void>((resolve) => {
    stream.addEventListener('remoteCloseWrite', () => resolve(), { once: true })
    // Whoever answers without asking is done before the negotiation is.
    if (stream.remoteWriteStatus === 'closed') resolve()
  })
  try {
    stream.send(bytes)
    if (end === 'answered') await Promise.race([heard, closed])
    if (end === 'reset') return
    // Not waited for: who has answered and reads no more takes no more either.
    stream.close().catch(() => {})
    await Promise.race([closed, ended, ...(done ? [heard, new Promise((resolve) => setImmediate(resolve))] : [])])
  } catch (error) {
    // The bridge was faster: what is written to a stream that it has reset fails.
    if (stream.status === 'open') throw error
  } finally {
    stream.abort(new Error('done'))
  }
}

describe('a bridge that is sent bad messages over real connections', { timeout: 1_200_000 }, () => {
  it.each([...LIBP2P_TARGETS, ...OWN_TARGETS])('on $protocol, by a $by, keeps nothing of them and serves on', async (target) => {
    const fuzzed = await startFuzzedBridge(bench)
    const random = createRandom(seed)
    const mallories = await Promise.all(
      Array.from({ length: target.by === 'stranger' ? LANES : 1 }, () => startMallory(bench, fuzzed, target.by)),
    )
    const attackTimes = async (count: number): Promise<void> => {
      let left = count
      await Promise.all(
        mallories.map(async ({ own }) => {
          while (left-- > 0) await inTime(attack(own, target, random), `a stream does not end, FUZZ_SEED=${seed}`)
        }),
      )
    }
    await attackTimes(Math.ceil(INPUTS / 5))
    const before = await usedMemory()
    await attackTimes(INPUTS - Math.ceil(INPUTS / 5))
    await eventually(() => expect(bufferedBytes(fuzzed.bridge)).toBe(0))
    // What waits for the deadline of a stream goes with it.
    await vi.waitFor(async () => expect((await usedMemory()) - before, `FUZZ_SEED=${seed}`).toBeLessThan(MAX_GROWTH_BYTES), {
      timeout: 30_000,
      interval: 1_000,
    })
    expect(mallories.map(({ connection }) => connection.status)).toEqual(mallories.map(() => 'open'))
    const next = await startMallory(bench, fuzzed, 'stranger')
    expect(await next.node.services.ping.ping(fuzzed.bridge.node.peerId)).toBeGreaterThanOrEqual(0)
  })
})
