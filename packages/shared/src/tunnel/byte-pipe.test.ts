/** Rules P1 to P9 of SPEC.md: two pipes with a network between them that loses, doubles and reorders, against what must never happen. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeTunnelFrames, encodeTunnelFrames, type TunnelFrame } from '../wire/tunnel-frame.ts'
import { createBytePipe, type BytePipe, type PipeEnd } from './byte-pipe.ts'
import { createFlights, type Flight, type Flights } from './flights.ts'
import { createPipeReceiver } from './pipe-receiver.ts'

const WINDOW = 64
const byteAt = (position: number): number => (position * 31 + (position >> 8) * 7) & 0xff
const pattern = (from: number, count: number): Uint8Array => Uint8Array.from({ length: count }, (_, index) => byteAt(from + index))

/** One end, with what its reader has seen. */
interface End {
  readonly pipe: BytePipe
  written: number
  taken: number
  ended: PipeEnd | undefined
  drained: number
  finished: boolean
}

function createEnd(): End {
  const end: End = {
    pipe: createBytePipe(
      {
        onBytes(bytes) {
          expect(end.ended, 'no bytes after the end').toBeUndefined()
          for (const byte of bytes.subarray()) if (byte !== byteAt(end.taken++)) throw new Error(`a wrong byte at ${end.taken - 1}`)
        },
        onDrain: () => end.drained++,
        onEnd(how) {
          expect(end.ended, 'one end').toBeUndefined()
          end.ended = how
        },
        onWork() {},
      },
      WINDOW,
    ),
    written: 0,
    taken: 0,
    ended: undefined,
    drained: 0,
    finished: false,
  }
  return end
}

function write(end: End, count: number): void {
  if (end.finished || end.pipe.isOver) return
  end.pipe.write(pattern(end.written, count))
  end.written += count
}

function finish(end: End): void {
  end.finished = true
  end.pipe.finish()
}

/** Bodies really are bodies: what is tested is what travels. */
const body = (frames: readonly TunnelFrame[]): Uint8Array => encodeTunnelFrames(frames)

interface Post {
  readonly flight: Flight
  readonly body: Uint8Array
  isSettled: boolean
}

/** The client's and the bridge's end, and what is on the way between them. */
class Network {
  readonly client = createEnd()
  readonly bridge = createEnd()
  readonly flights: Flights = createFlights(this.client.pipe, 2)
  posts: Post[] = []
  answers: { readonly post: Post; readonly body: Uint8Array }[] = []
  polls: Uint8Array[] = []
  downs: Uint8Array[] = []

  apply(end: End, bytes: Uint8Array): void {
    for (const frame of decodeTunnelFrames(bytes)) end.pipe.apply(frame)
  }

  post(maxBytes: number): boolean {
    const flight = this.flights.start(maxBytes)
    if (flight !== undefined) this.posts.push({ flight, body: body([this.client.pipe.flow(), ...flight.frames]), isSettled: false })
    return flight !== undefined
  }

  settle(post: Post, cameThrough: boolean): void {
    if (post.isSettled) return
    post.isSettled = true
    this.flights.settle(post.flight, cameThrough)
  }

  arrive(post: Post): void {
    this.apply(this.bridge, post.body)
    this.answers.push({ post, body: body([this.bridge.pipe.flow()]) })
  }

  answered({ post, body: bytes }: { post: Post; body: Uint8Array }): void {
    this.apply(this.client, bytes)
    this.settle(post, true)
  }

  /** The bridge answers a poll from where the poll says, not from where it thinks it was. */
  answerPoll(poll: Uint8Array, maxBytes: number): void {
    const [flow] = decodeTunnelFrames(poll)
    if (flow?.type !== 'flow') throw new Error('no flow')
    this.apply(this.bridge, poll)
    this.downs.push(body([this.bridge.pipe.flow(), ...this.bridge.pipe.outgoing(flow.received, maxBytes).frames]))
  }

  /** From here on nothing is lost: everything must arrive. */
  heal(): void {
    this.client.pipe.resume()
    this.bridge.pipe.resume()
    for (const post of this.posts) this.settle(post, false)
    for (const { post } of this.answers) this.settle(post, false)
    this.posts = []
    this.answers = []
    for (let quiet = 0; quiet < 3;) {
      const before = [this.client.taken, this.bridge.taken, this.client.pipe.acknowledged, this.bridge.pipe.acknowledged].join()
      while (this.post(WINDOW)) continue
      for (const post of this.posts.splice(0)) this.arrive(post)
      for (const answer of this.answers.splice(0)) this.answered(answer)
      this.answerPoll(body([this.client.pipe.flow()]), WINDOW)
      for (const bytes of this.downs.splice(0)) this.apply(this.client, bytes)
      const after = [this.client.taken, this.bridge.taken, this.client.pipe.acknowledged, this.bridge.pipe.acknowledged].join()
      quiet = before === after ? quiet + 1 : 0
    }
  }
}

type Op = readonly [what: number, which: number, size: number]

/** What may happen, one line each. `which` chooses among what is on the way. */
function happen(net: Network, [what, which, size]: Op): void {
  const pick = <Item>(items: Item[]): Item | undefined => items[which % Math.max(1, items.length)]
  const lose = <Item>(items: Item[]): Item | undefined => items.splice(which % Math.max(1, items.length), 1)[0]
  const end = which % 2 === 0 ? net.client : net.bridge
  switch (what) {
    case 0:
      return write(end, size)
    case 1:
      return void net.post(1 + (size % 48))
    case 2: {
      const post = lose(net.posts)
      return post && net.arrive(post)
    }
    case 3: {
      const post = pick(net.posts) // doubled: arrives and stays on the way
      return post && net.arrive(post)
    }
    case 4: {
      const post = lose(net.posts)
      return post && net.settle(post, false)
    }
    case 5: {
      const post = pick(net.posts) // given up by the client, but still on the way
      return post && net.settle(post, false)
    }
    case 6: {
      const answer = lose(net.answers)
      return answer && net.answered(answer)
    }
    case 7: {
      const answer = lose(net.answers)
      return answer && net.settle(answer.post, false)
    }
    case 8:
      return void net.polls.push(body([net.client.pipe.flow()]))
    case 9: {
      const poll = size % 2 === 0 ? lose(net.polls) : pick(net.polls)
      return poll && net.answerPoll(poll, 1 + (size % 48))
    }
    case 10: {
      const down = size % 2 === 0 ? lose(net.downs) : pick(net.downs)
      return down && net.apply(net.client, down)
    }
    case 11:
      return void lose(net.downs)
    case 12:
      return size % 2 === 0 ? end.pipe.pause() : end.pipe.resume()
    default:
      return size === 7 && which === 7 ? finish(end) : undefined
  }
}

const ops = fc.array(fc.tuple(fc.nat({ max: 13 }), fc.nat({ max: 7 }), fc.nat({ max: 90 })), { minLength: 1, maxLength: 300, size: 'max' })

// Many histories: seconds on a busy machine.
describe('a byte pipe', { timeout: 30_000 }, () => {
  test('P1, P2, P5, P8: gives every byte once and in order, and then the end, whatever is lost, doubled and reordered', () => {
    fc.assert(
      fc.property(ops, fc.boolean(), (history, close) => {
        const net = new Network()
        for (const op of history) happen(net, op)
        if (close) finish(net.client)
        net.heal()
        // Who is told of an end stops sending, so only the way of the first end must be whole.
        const firstEnded = [net.client, net.bridge].some(({ ended }) => ended !== undefined)
        if (net.bridge.ended !== undefined || !firstEnded) expect(net.bridge.taken).toBe(net.client.written)
        if (net.client.ended !== undefined || !firstEnded) expect(net.client.taken).toBe(net.bridge.written)
        expect(firstEnded).toBe(net.client.finished || net.bridge.finished)
        for (const { ended } of [net.client, net.bridge]) if (ended !== undefined) expect(ended.code).toBe(0)
      }),
      { numRuns: 800 },
    )
  })

  test('P3, P9: a paused reader lets in one window, and says so when half of it is free', () => {
    const net = new Network()
    net.bridge.pipe.pause()
    write(net.client, 5 * WINDOW)
    net.answerPoll(body([net.client.pipe.flow()]), WINDOW)
    net.apply(net.client, net.downs.pop() ?? new Uint8Array())
    for (let round = 0; round < 6; round++) {
      net.post(WINDOW)
      for (const post of net.posts.splice(0)) net.arrive(post)
      for (const answer of net.answers.splice(0)) net.answered(answer)
    }
    expect(net.client.pipe.acknowledged).toBe(WINDOW)
    expect(net.flights.start(WINDOW)).toBeUndefined()
    expect(net.bridge.pipe.isFlowDue).toBe(false)
    net.bridge.pipe.resume()
    expect(net.bridge.taken).toBe(WINDOW)
    expect(net.bridge.pipe.isFlowDue).toBe(true)
  })

  test('P8: what a failed request carried goes again before what comes after it', () => {
    const { pipe } = createEnd()
    const flights = createFlights(pipe, 2)
    pipe.apply({ type: 'flow', received: 0, limit: 100 })
    pipe.write(pattern(0, 50))
    const [first, second] = [flights.start(10), flights.start(10)]
    if (first === undefined || second === undefined) throw new Error('nothing to carry')
    flights.settle(first, false)
    expect(flights.start(10)).toMatchObject({ from: 0, to: 10 })
    flights.settle(second, true)
    expect(flights.start(10)).toMatchObject({ from: 20, to: 30 })
  })

  test('P8: with no request on its way, what came through and found no room goes again', () => {
    const { pipe } = createEnd()
    const flights = createFlights(pipe, 2)
    pipe.apply({ type: 'flow', received: 0, limit: 100 })
    pipe.write(pattern(0, 10))
    const flight = flights.start(10)
    if (flight === undefined) throw new Error('nothing to carry')
    expect(flights.settle(flight, true)).toBe(false)
    expect(flights.start(10)).toMatchObject({ from: 0, to: 10 })
  })

  test('P4: keeps no more than two windows, whatever comes', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat({ max: 300 }), fc.nat({ max: 200 })), { maxLength: 60 }), (pieces) => {
        const receiver = createPipeReceiver(WINDOW)
        for (const [offset, length] of pieces) {
          receiver.receive(offset, pattern(offset, length))
          expect(receiver.kept).toBeLessThanOrEqual(2 * WINDOW)
        }
      }),
    )
  })

  test('P2: a writer is told to wait at one window, and to go on when half of it is acknowledged', () => {
    const end = createEnd()
    const chunk = new Uint8Array(128 * 1024)
    expect([1, 2, 3, 4].map(() => end.pipe.write(chunk))).toEqual([true, true, true, false])
    end.pipe.apply({ type: 'flow', received: 128 * 1024, limit: 1e6 })
    expect(end.drained).toBe(0)
    end.pipe.apply({ type: 'flow', received: 256 * 1024, limit: 1e6 })
    expect(end.drained).toBe(1)
  })

  test('P6: a cut holds at once, and reaches the other side with its code', () => {
    const net = new Network()
    write(net.bridge, 50)
    net.bridge.pipe.cut({ code: 4001, reason: 'the token was revoked' })
    net.answerPoll(body([net.client.pipe.flow()]), WINDOW)
    net.apply(net.client, net.downs.pop() ?? new Uint8Array())
    expect(net.client.ended).toEqual({ code: 4001, reason: 'the token was revoked' })
    expect(net.client.taken).toBe(0)
  })

  test.each<[string, readonly TunnelFrame[]]>([
    [
      'an end before bytes that came',
      [
        { type: 'data', offset: 0, bytes: pattern(0, 3) },
        { type: 'end', offset: 2, code: 0, reason: '' },
      ],
    ],
    [
      'two ends',
      [
        { type: 'end', offset: 9, code: 0, reason: '' },
        { type: 'end', offset: 8, code: 0, reason: '' },
      ],
    ],
    [
      'bytes behind the end',
      [
        { type: 'end', offset: 3, code: 0, reason: '' },
        { type: 'data', offset: 1, bytes: pattern(1, 3) },
      ],
    ],
    ['bytes acknowledged that were never sent', [{ type: 'flow', received: 1, limit: 10 }]],
  ])('P7: refuses %s', (_name, frames) => {
    const { pipe } = createEnd()
    const applyAll = (): void => {
      for (const frame of frames) pipe.apply(frame)
    }
    expect(applyAll).toThrow(expect.objectContaining({ code: 'protocol_violation' }))
  })
})
