/**
 * Bad bodies of requests to the HTTPS tunnel, all three kinds of request: each is answered with a whole body, or refused as a bad request and ends the tunnel; nothing is kept of either.
 * 200 here; `npm test` sends 100 000, and FUZZ_INPUTS says how many. Without HTTP in front, which has its own limit of a body, and with a handshake that never comes.
 */
import { randomBytes } from 'node:crypto'
import type { MultiaddrConnection, Upgrader } from '@libp2p/interface'
import { usedMemory } from '@footbridge/protocols/fuzz/test-fuzz'
import { chooseSeed, createRandom, mutate, type Random } from '@footbridge/protocols/fuzz/test-mutations'
import { isFootbridgeError } from '@footbridge/shared/errors'
import { decodeTunnelFrames, encodeTunnelFrames, type TunnelFrame } from '@footbridge/shared/wire/tunnel-frame'
import { createTunnelListener, DEFAULT_TUNNEL_LIMITS } from '@footbridge/listeners/tunnel/tunnel-listener'
import type { TunnelRequests } from '@footbridge/listeners/tunnel/tunnel'
import { multiaddr } from '@multiformats/multiaddr'
import { expect, test } from 'vitest'

const INPUTS = Number(process.env['FUZZ_INPUTS'] ?? 200)
const MAX_GROWTH_BYTES = 16_000_000
const PEER = '12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5'
const seed = chooseSeed()

const numberOf = (random: Random): number => random.pick([0, 1, 5, random.below(70_000), 2 ** 31, Number.MAX_SAFE_INTEGER])
const frameOf = (random: Random): TunnelFrame =>
  random.pick<TunnelFrame>([
    { type: 'flow', received: numberOf(random), limit: numberOf(random) },
    { type: 'data', offset: numberOf(random), bytes: random.bytes(random.below(300)) },
    { type: 'end', offset: numberOf(random), code: random.below(5_000), reason: 'because' },
    { type: 'wait', ms: 0 },
  ])

function makeBody(random: Random): Uint8Array {
  const flow: TunnelFrame = { type: 'flow', received: random.pick([0, 0, 0, numberOf(random)]), limit: numberOf(random) }
  const body = encodeTunnelFrames([flow, ...Array.from({ length: random.below(4) }, () => frameOf(random))])
  return random.pick([body, mutate(body, random), random.bytes(random.below(200))])
}

/** @returns the body of an answer. */
async function ask(tunnel: TunnelRequests, random: Random): Promise<Uint8Array> {
  const body = makeBody(random)
  switch (random.below(3)) {
    case 0:
      return tunnel.up(body)
    case 1:
      return tunnel.poll(body, AbortSignal.abort())
    default: {
      const reader = tunnel.down({ received: numberOf(random), limit: numberOf(random) }).getReader()
      const { value } = await reader.read()
      await reader.cancel()
      return value ?? new Uint8Array()
    }
  }
}

test('bad bodies are answered or refused, and nothing is kept of them', { timeout: 1_200_000 }, async () => {
  const random = createRandom(seed)
  let connection: MultiaddrConnection | undefined
  const upgrader = {
    upgradeInbound: (given: MultiaddrConnection) => ((connection = given), new Promise(() => {})),
  } as unknown as Upgrader
  // What a tunnel that has ended leaves goes with the deadline of its handshake.
  const tunnels = createTunnelListener({ randomBytes, limits: { ...DEFAULT_TUNNEL_LIMITS, lingerMs: 1, handshakeMs: 1_000 } })
  const log = Object.assign(() => {}, { error() {}, trace() {}, newScope: () => log })
  const listener = tunnels.transport({ logger: { forComponent: () => log } as never }).createListener({ upgrader })
  await listener.listen(multiaddr('/ip4/127.0.0.1/tcp/0/http'))
  const outcomes = { answered: 0, refused: 0 }
  let tunnel: TunnelRequests | undefined
  const attack = async (): Promise<void> => {
    if (tunnel === undefined || connection?.status !== 'open') {
      const id = tunnels.open({ peer: PEER, address: '192.0.2.1', port: 1 })
      tunnel = id === undefined ? undefined : tunnels.find(id, PEER)
      if (tunnel === undefined) throw new Error('there is no room for another tunnel, though all before it have ended')
    }
    try {
      decodeTunnelFrames(await ask(tunnel, random))
      outcomes.answered++
    } catch (error) {
      if (!isFootbridgeError(error, 'bad_request') && !isFootbridgeError(error, 'protocol_violation'))
        throw new Error(`an untyped failure, FUZZ_SEED=${seed}`, { cause: error })
      outcomes.refused++
    }
  }
  const attackTimes = async (count: number): Promise<void> => {
    for (let left = count; left > 0; left--) {
      await attack()
      if (left % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
  }
  await attackTimes(Math.ceil(INPUTS / 5))
  const before = await usedMemory()
  await attackTimes(INPUTS - Math.ceil(INPUTS / 5))
  const growth = (await usedMemory()) - before
  if (process.env['FUZZ_FIGURES'] !== undefined)
    process.stderr.write(`tunnel: ${INPUTS} inputs, ${(growth / 1e6).toFixed(1)} MB above the beginning\n`)
  expect(growth, `FUZZ_SEED=${seed}`).toBeLessThan(MAX_GROWTH_BYTES)
  expect(Math.min(outcomes.answered, outcomes.refused)).toBeGreaterThan(INPUTS / 10)
  connection?.abort(new Error('done'))
  await listener.close()
})
