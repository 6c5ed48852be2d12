/**
 * Messages that nobody should send, given to every handler of the bridge's node: each is answered as its specification says, ignored, or ends its own stream. Nothing escapes (an
 * unhandled rejection fails the run), nothing is kept, and the bridge serves the next. 200 for each protocol here; `npm test` sends 100 000, and FUZZ_INPUTS says how many.
 *
 * Straight into the handlers, because a hundred thousand multistream handshakes would be what is measured; over real connections: fuzz-live.test.ts.
 */
import { fuzz } from '@footbridge/protocols/fuzz/test-fuzz'
import { chooseSeed } from '@footbridge/protocols/fuzz/test-mutations'
import { afterEach, describe, expect, it } from 'vitest'
import { MAX_PEERS_HEARD_OF } from '../limits.ts'
import { createBench } from '../test-bridge.ts'
import { LIBP2P_TARGETS, OWN_TARGETS } from './test-fuzz-targets.ts'
import { startFuzzedBridge, startMallory } from './test-fuzzed-bridge.ts'

const INPUTS = Number(process.env['FUZZ_INPUTS'] ?? 200)
const seed = chooseSeed()
const bench = createBench()

afterEach(() => bench.end())

describe('a bridge that is sent bad messages', { timeout: 3_600_000 }, () => {
  it.each([...LIBP2P_TARGETS, ...OWN_TARGETS])(
    'on $protocol, sent by a $by, answers as it should and keeps nothing of them',
    async ({ protocol, by, make, done }) => {
      const fuzzed = await startFuzzedBridge(bench)
      const { node, connection } = await startMallory(bench, fuzzed, by)
      const { handler } = fuzzed.registrar.getHandler(protocol)
      const id = node.peerId.toMultihash().bytes
      const target = {
        protocol,
        handler,
        connection,
        make: (random: Parameters<typeof make>[0]) => make(random, id),
        ...(done && { done }),
      }
      await fuzz(target, { inputs: INPUTS, seed })
      expect((await fuzzed.bridge.node.peerStore.all()).length).toBeLessThan(MAX_PEERS_HEARD_OF + 100)
      // Whoever comes next is served.
      const next = await startMallory(bench, fuzzed, 'stranger')
      expect(await next.node.services.ping.ping(fuzzed.bridge.node.peerId)).toBeGreaterThanOrEqual(0)
    },
  )
})

describe('the list of what is sent', () => {
  it('has every protocol that the node of a bridge speaks', async () => {
    const { bridge } = await startFuzzedBridge(bench)
    const listed = new Set([...LIBP2P_TARGETS, ...OWN_TARGETS].map(({ protocol }) => protocol))
    expect([...bridge.node.getProtocols()].sort()).toEqual([...listed].sort())
  })
})
