/**
 * Messages that nobody should send, given to every handler of other people's protocols that the bridge has: each is answered, ignored or ends its own stream. Nothing escapes (an
 * unhandled rejection fails the run), nothing is kept, and the bridge serves the next. 200 for each protocol here; `npm test` runs 10 000, and FUZZ_INPUTS says how many.
 *
 * Straight into the handlers over pairs of streams in memory, because a hundred thousand multistream handshakes would be what is measured. The bridge dials nobody here: what a message
 * makes it want to dial is refused as if nobody answered. Our own relay is in relay/fuzz-live.test.ts.
 */
import { circuitRelayServer } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import type { Connection, Stream, StreamHandler } from '@libp2p/interface'
import type { ConnectionManager, Registrar } from '@libp2p/interface-internal'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { streamPair } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { chooseSeed, createRandom, mutate, type Random } from '../relay/test-mutations.ts'
import { createBench, type Peer, type TestBridge } from '../test-bridge.ts'
import { eventually, usedMemory } from '../test-raw-peers.ts'

const INPUTS = Number(process.env['FUZZ_INPUTS'] ?? 200)
/** Streams at a time. */
const LANES = 64
/** What a run may leave behind, whatever its length: caches fill, and collecting is not exact. */
const MAX_GROWTH_BYTES = 24_000_000
/** Named, because a pair of streams that is given none counts ports up, and there are 65 535. */
const NEAR = multiaddr('/ip4/127.0.0.1/tcp/1')
const seed = chooseSeed()
const bench = createBench()

afterEach(async () => {
  vi.restoreAllMocks()
  await bench.end()
})

const varint = (value: number): number[] => (value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(Math.floor(value / 128))])
const number = (field: number, value: number): Uint8Array => Uint8Array.from([...varint(field << 3), ...varint(value)])
const bytes = (field: number, ...parts: readonly (string | Uint8Array)[]): Uint8Array => {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part)))
  return Buffer.concat([Uint8Array.from([...varint((field << 3) | 2), ...varint(body.length)]), body])
}
const fixed64 = (field: number, random: Random): Uint8Array => Uint8Array.from([(field << 3) | 1, ...random.bytes(8)])
const many = (random: Random, most: number, make: () => Uint8Array): Uint8Array =>
  Buffer.concat(Array.from({ length: random.below(most + 1) }, make))

/** Addresses that nobody may be made to dial, and some that are none. */
const address = (random: Random): Uint8Array =>
  random.pick([
    multiaddr('/ip4/127.0.0.1/tcp/9').bytes,
    multiaddr('/ip6/::1/udp/9/quic-v1').bytes,
    multiaddr('/ip4/10.0.0.1/tcp/4001').bytes,
    random.bytes(random.below(40)),
  ])

interface Attacker {
  readonly id: Uint8Array
}

/** Right messages of each protocol, to be spoiled. */
const PROTOCOLS: readonly (readonly [protocol: string, make: (random: Random, from: Attacker) => Uint8Array])[] = [
  [
    '/ipfs/kad/1.0.0',
    (random, { id }) =>
      Buffer.concat([
        number(1, random.below(6)),
        bytes(2, random.pick([id, random.bytes(34), `/pk/${random.below(9)}`, random.bytes(random.below(70))])),
        many(random, 1, () => bytes(3, bytes(1, '/pk/x'), bytes(2, random.bytes(random.below(3_000))), bytes(5, '2026-01-01T00:00:00Z'))),
        many(random, 3, () => bytes(8, bytes(1, id), bytes(2, address(random)), number(3, random.below(5)))),
        many(random, 3, () => bytes(9, bytes(1, random.pick([id, random.bytes(38)])), bytes(2, address(random)))),
      ]),
  ],
  [
    '/libp2p/autonat/1.0.0',
    (random, { id }) =>
      Buffer.concat([
        number(1, 0),
        bytes(
          2,
          bytes(
            1,
            bytes(1, id),
            many(random, 4, () => bytes(2, address(random))),
          ),
        ),
      ]),
  ],
  [
    '/libp2p/autonat/2/dial-request',
    (random) =>
      random.below(4) === 0
        ? bytes(4, bytes(1, random.bytes(random.below(5_000))))
        : bytes(
            1,
            many(random, 4, () => bytes(1, address(random))),
            fixed64(2, random),
          ),
  ],
  ['/ipfs/ping/1.0.0', (random) => random.bytes(random.below(100))],
  // Says who the bridge is; what comes is nothing that it asked for.
  ['/ipfs/id/1.0.0', (random) => random.bytes(random.below(300))],
  ['/libp2p/autonat/2/dial-back', (random) => fixed64(1, random)],
  ['/libp2p/dcutr', (random) => Buffer.concat([number(1, random.pick([100, 300])), many(random, 4, () => bytes(2, address(random)))])],
  [
    '/ipfs/id/push/1.0.0',
    (random) =>
      Buffer.concat([
        bytes(5, 'ipfs/0.1.0'),
        bytes(6, 'mallory/1.0.0'),
        many(random, 4, () => bytes(2, address(random))),
        many(random, 9, () => bytes(3, `/protocol/${random.below(30)}`)),
        many(random, 1, () => bytes(8, random.bytes(random.below(200)))),
        many(random, 1, () => bytes(1, random.bytes(36))),
      ]),
  ],
  [
    '/meshsub/1.1.0',
    (random, { id }) => {
      const topic = `room-${random.below(20_000)}`
      return Buffer.concat([
        many(random, 3, () => bytes(1, number(1, random.below(2)), bytes(2, topic))),
        many(random, 2, () =>
          bytes(
            2,
            bytes(1, id),
            bytes(2, random.bytes(random.below(300))),
            bytes(3, random.bytes(8)),
            bytes(4, topic),
            bytes(5, random.bytes(64)),
          ),
        ),
        many(random, 1, () =>
          bytes(
            3,
            bytes(
              1,
              bytes(1, topic),
              many(random, 9, () => bytes(2, random.bytes(20))),
            ),
            bytes(
              2,
              many(random, 9, () => bytes(1, random.bytes(20))),
            ),
            bytes(3, bytes(1, topic)),
            bytes(4, bytes(1, topic), bytes(2, bytes(1, random.bytes(38))), number(3, random.below(100_000))),
            bytes(
              5,
              many(random, 9, () => bytes(1, random.bytes(20))),
            ),
          ),
        ),
      ])
    },
  ],
  [
    '/libp2p/circuit/relay/0.2.0/stop',
    (random, { id }) => Buffer.concat([number(1, random.below(3)), bytes(2, bytes(1, id)), bytes(3, number(1, 60))]),
  ],
]

/** STOP is for the relays that the bridge has reserved on; strangers are refused before anything is read. */
const CASES = PROTOCOLS.flatMap(([protocol, make]) =>
  (protocol.endsWith('/stop') ? ['stranger', 'relay of its own'] : ['stranger']).map((by) => [protocol, by, make] as const),
)

/** What is put on a stream, in one piece or cut anywhere. */
function makeInput(random: Random, message: Uint8Array): Uint8Array {
  const framed = (body: Uint8Array): Uint8Array => Buffer.concat([Uint8Array.from(varint(body.length)), body])
  switch (random.below(8)) {
    case 0:
      return random.bytes(random.below(100))
    case 1: // Cut off.
      return framed(message).slice(0, random.below(message.length + 2))
    case 2: // A length that claims gigabytes, and one without an end.
      return Uint8Array.from([0xff, 0xff, 0xff, 0xff, random.pick([0x0f, 0xff]), ...random.bytes(40)])
    case 3: // Longer than any of these messages may be, in full.
      return random.below(20) === 0 ? framed(new Uint8Array(5 * 1024 * 1024)) : framed(new Uint8Array(12_000))
    case 4: // Right, so that what follows the decoder is met too.
      return framed(message)
    case 5:
      return Buffer.concat([framed(message), framed(mutate(message, random))])
    default:
      return framed(mutate(message, random))
  }
}

interface Components {
  readonly registrar: Registrar
  readonly connectionManager: ConnectionManager
}

/** What libp2p does around a handler. */
async function serve(handler: StreamHandler, stream: Stream, connection: Connection): Promise<void> {
  try {
    await handler(stream, connection)
  } catch (error) {
    stream.abort(error instanceof Error ? error : new Error('the handler failed'))
  }
}

async function setUp(isRelay: boolean): Promise<{ bridge: TestBridge; components: Components; mallory: Peer; connection: Connection }> {
  const bridge = await bench.startBridge({ dialPrivate: '127.0.0.0/8', kadProtocols: '/ipfs/kad/1.0.0' })
  const mallory = await bench.startNode({
    addresses: { listen: isRelay ? ['/ip4/127.0.0.1/tcp/0'] : [] },
    transports: [tcp()],
    services: { identify: identify(), ping: ping(), ...(isRelay && { relay: circuitRelayServer() }) },
  })
  if (isRelay) await bridge.node.services.circuits.reserve(mallory.getMultiaddrs()[0]!)
  else await mallory.dial(multiaddr(bridge.addresses[0] ?? 'none'))
  const connection = await eventually(() => bridge.node.getConnections(mallory.peerId)[0] ?? Promise.reject(new Error('not yet')))
  // libp2p's class has them; its interface does not show them.
  const { components } = bridge.node as unknown as { components: Components }
  vi.spyOn(components.connectionManager, 'openConnection').mockRejectedValue(new Error('nobody answers'))
  return { bridge, components, mallory, connection }
}

describe('a bridge that is sent bad messages', { timeout: 3_600_000 }, () => {
  it.each(CASES)('on %s, sent by a %s, keeps nothing of them and serves the next', async (protocol, by, make) => {
    const { bridge, components, mallory, connection } = await setUp(by === 'relay of its own')
    const { handler } = components.registrar.getHandler(protocol)
    const random = createRandom(seed)
    const from: Attacker = { id: mallory.peerId.toMultihash().bytes }

    const attack = async (): Promise<void> => {
      const [near, far] = await streamPair({ delay: 0, outboundConnection: { remoteAddr: NEAR }, inboundConnection: { remoteAddr: NEAR } })
      const answered = new Promise((resolve) => near.addEventListener('message', resolve, { once: true }))
      const served = serve(handler, far, connection)
      try {
        near.send(makeInput(random, make(random, from)))
      } catch {
        // The handler was faster.
      }
      if (random.below(3) === 0) near.abort(new Error('gone'))
      else near.close().catch(() => {})
      const closed = new Promise((resolve) => far.addEventListener('close', resolve, { once: true }))
      // Whoever accepts a circuit then waits for its handshake, which does not come.
      await Promise.race([served, closed, ...(protocol.endsWith('/stop') ? [answered] : [])])
      near.abort(new Error('done'))
      far.abort(new Error('done'))
    }
    const attackTimes = async (count: number): Promise<void> => {
      let left = count
      const lane = async (): Promise<void> => {
        while (left-- > 0) await attack()
      }
      await Promise.all(Array.from({ length: LANES }, lane))
    }

    await attackTimes(Math.ceil(INPUTS / 5))
    const before = await usedMemory()
    await attackTimes(INPUTS)
    await vi.waitFor(async () => expect((await usedMemory()) - before, `FUZZ_SEED=${seed}`).toBeLessThan(MAX_GROWTH_BYTES), {
      // What waits for the deadline of a message goes with it.
      timeout: 120_000,
      interval: 1_000,
    })
    expect(connection.status).toBe('open')
    expect(await mallory.services.ping.ping(mallory.getConnections()[0]!.remotePeer)).toBeGreaterThanOrEqual(0)
    expect((await bridge.node.peerStore.all()).length).toBeLessThan(2_100)
  })
})
