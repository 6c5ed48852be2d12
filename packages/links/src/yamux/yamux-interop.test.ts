import type { Stream } from '@libp2p/interface'
import { describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { createWires, cutter, eventually, pattern, sameBytes } from '../test-wire.ts'
import { INITIAL_WINDOW_BYTES } from './frame.ts'
import { createMuxers, type Kind, type Side } from './test-yamux.ts'
import { YamuxMuxer } from './yamux-muxer.ts'

const pairs: [Kind, Kind][] = [
  ['ours', 'stock'],
  ['stock', 'ours'],
  ['ours', 'ours'],
]

/** Opened by the first, with what the second sees of it and has read. */
async function open(from: Side, to: Side): Promise<{ near: Stream; far: Stream; received: Uint8Array[] }> {
  const received: Uint8Array[] = []
  const arrived = new Promise<Stream>((resolve) => {
    to.muxer.addEventListener(
      'stream',
      ({ detail }) => {
        detail.addEventListener('message', ({ data }) => received.push(data.slice()))
        resolve(detail)
      },
      { once: true },
    )
  })
  return { near: await from.muxer.createStream(), far: await arrived, received }
}

async function sendAll(stream: Stream, bytes: Uint8Array, step = 100_000): Promise<void> {
  for (let offset = 0; offset < bytes.length; offset += step) {
    if (stream.send(bytes.subarray(offset, offset + step))) continue
    await new Promise((resolve) => stream.addEventListener('drain', resolve, { once: true }))
  }
}

const closed = (stream: Stream): Promise<unknown> => new Promise((resolve) => stream.addEventListener('close', resolve, { once: true }))

describe.each(pairs)('%s dials %s', (dialler, listener) => {
  it('and many streams live beside each other, opened by both ends', async () => {
    const [alice, bob] = createMuxers(dialler, listener)
    const streams = await Promise.all(Array.from({ length: 250 }, (_, index) => (index % 2 === 0 ? alice : bob).muxer.createStream()))
    for (const side of [alice, bob]) {
      side.muxer.addEventListener('stream', ({ detail }) => {
        detail.addEventListener('message', ({ data }) => detail.send(data))
      })
    }
    const echoes = streams.map(
      (stream, index) =>
        new Promise<void>((resolve) => {
          const bytes = pattern(500, index + 1)
          const seen: Uint8Array[] = []
          stream.addEventListener('message', ({ data }) => {
            seen.push(data.slice())
            if (sameBytes(Buffer.concat(seen), bytes)) resolve()
          })
          stream.send(bytes)
        }),
    )
    await Promise.all(echoes)
    expect([alice.muxer.streams.length, bob.muxer.streams.length]).toEqual([250, 250])
  })

  it('and either end of a stream half-closes; the other writes on', async () => {
    for (const first of ['near', 'far'] as const) {
      const [alice, bob] = createMuxers(dialler, listener)
      const { near, far } = await open(alice, bob)
      const [closing, other] = first === 'near' ? [near, far] : [far, near]
      const received: Uint8Array[] = []
      closing.addEventListener('message', ({ data }) => received.push(data.slice()))
      closing.send(pattern(10))
      await closing.close()
      await eventually(() => {
        expect(other.remoteWriteStatus).toBe('closed')
      })
      expect([other.status, other.writeStatus]).toEqual(['open', 'writable'])
      other.send(pattern(70_000))
      await eventually(() => {
        expect(Buffer.concat(received)).toHaveLength(70_000)
      })
      const end = Promise.all([closed(closing), closed(other)])
      await other.close()
      await end
      expect([near.status, far.status]).toEqual(['closed', 'closed'])
      expect([alice.muxer.streams, bob.muxer.streams]).toEqual([[], []])
    }
  })

  it('and either end resets a stream; the others live', async () => {
    for (const first of ['near', 'far'] as const) {
      const [alice, bob] = createMuxers(dialler, listener)
      const kept = await open(alice, bob)
      const { near, far } = await open(alice, bob)
      const [resetting, other] = first === 'near' ? [near, far] : [far, near]
      const end = closed(other)
      resetting.abort(new Error('enough'))
      await end
      expect([resetting.status, other.status]).toEqual(['aborted', 'reset'])
      expect([alice.muxer.streams.length, bob.muxer.streams.length]).toEqual([1, 1])
      kept.near.send(pattern(5))
      await eventually(() => {
        expect(kept.received).toHaveLength(1)
      })
    }
  })

  it('and 20 MB go each way at once, past readers that pause, without more than a window unread', async () => {
    const [alice, bob] = createMuxers(dialler, listener)
    const { near, far } = await open(alice, bob)
    const bytes = pattern(20 * 1024 * 1024)
    const kinds = new Map([
      [near, dialler],
      [far, listener],
    ])
    const read = async (stream: Stream): Promise<Buffer> => {
      const chunks: Uint8Array[] = []
      let length = 0
      let next = 0
      await new Promise<void>((resolve) => {
        stream.addEventListener('message', ({ data }) => {
          chunks.push(data.slice())
          length += data.byteLength
          if (length === bytes.length) resolve()
          if (length < next || stream.readStatus !== 'readable') return
          next = length + 1_000_000
          stream.pause()
          setImmediate(() => {
            // Ours opens the window when it was read; the stock one's may have grown.
            if (kinds.get(stream) === 'ours') expect(stream.readBufferLength).toBeLessThanOrEqual(INITIAL_WINDOW_BYTES)
            stream.resume()
          })
        })
      })
      return Buffer.concat(chunks)
    }
    const [one, other] = await Promise.all([read(near), read(far), sendAll(near, bytes), sendAll(far, bytes)])
    expect(sameBytes(one, bytes)).toBe(true)
    expect(sameBytes(other, bytes)).toBe(true)
  }, 30_000)

  it('and what nobody reads stops the sender at one window', async () => {
    const [alice, bob] = createMuxers(dialler, listener)
    const { near, far } = await open(alice, bob)
    far.pause()
    const before = alice.wire.bytesSent
    expect(near.send(pattern(1024 * 1024))).toBe(false)
    await eventually(() => {
      expect(far.readBufferLength).toBe(INITIAL_WINDOW_BYTES)
    })
    expect(alice.wire.bytesSent - before).toBeLessThan(INITIAL_WINDOW_BYTES + 200)
  })

  it('and any cut of the bytes passes the same', async () => {
    const cuts = fc.array(fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 50_000 })), { minLength: 1, maxLength: 5 })
    await fc.assert(
      fc.asyncProperty(cuts, async (cut) => {
        const [alice, bob] = createMuxers(dialler, listener, { cut: cutter(cut) })
        const { near, received } = await open(alice, bob)
        const bytes = pattern(60_000)
        await sendAll(near, bytes, 7_000)
        await eventually(() => {
          expect(sameBytes(Buffer.concat(received), bytes)).toBe(true)
        })
      }),
      { numRuns: 10 },
    )
  })

  it('and the muxer of either end closes both ends’ streams, politely or not', async () => {
    for (const how of ['close', 'abort'] as const) {
      const [alice, bob] = createMuxers(dialler, listener)
      const { near, far } = await open(alice, bob)
      const ends = Promise.all([closed(near), closed(far)])
      if (how === 'abort') alice.muxer.abort(new Error('enough'))
      else await Promise.all([far.close(), alice.muxer.close()])
      await ends
      expect([near.status, far.status]).toEqual(
        how === 'close' ? ['closed', 'closed'] : ['aborted', expect.stringMatching(/^(reset|aborted|closed)$/)],
      )
      expect(alice.muxer.streams).toEqual([])
      await eventually(() => {
        expect(bob.muxer.streams).toEqual([])
      })
      await expect(alice.muxer.createStream()).rejects.toMatchObject({ name: 'MuxerClosedError' })
    }
  })
})

/** Cases of js-libp2p's own suite for muxers (@libp2p/interface-compliance-tests) that are not above; that suite wants its own test runner. */
describe('as js-libp2p wants a muxer', () => {
  it('is open, closing while it closes, then closed', async () => {
    const [{ muxer }] = createMuxers('ours', 'ours')
    expect([muxer.protocol, muxer.status]).toEqual(['/yamux/1.0.0', 'open'])
    const end = muxer.close()
    expect(muxer.status).toBe('closing')
    await end
    expect(muxer.status).toBe('closed')
  })

  it('tells of a stream before anything was written to it', async () => {
    const [alice, bob] = createMuxers('ours', 'ours')
    const stream = await alice.muxer.createStream()
    await eventually(() => {
      expect(bob.inbound).toHaveLength(1)
    })
    expect(alice.muxer.streams).toEqual([stream])
    expect(bob.muxer.streams).toEqual(bob.inbound)
  })

  it('emits close for a stream that was never written to, closed or aborted', async () => {
    const [alice, bob] = createMuxers('ours', 'ours')
    bob.muxer.addEventListener('stream', ({ detail }) => void detail.close())
    const first = await alice.muxer.createStream()
    const end = closed(first)
    await first.close()
    await end
    const second = await alice.muxer.createStream()
    const aborted = closed(second)
    second.abort(new Error('enough'))
    await aborted
    expect(alice.muxer.streams).toEqual([])
  })

  it('sends everything before the end when it is closed at once', async () => {
    const [alice, bob] = createMuxers('ours', 'ours', { capacity: 1_000 })
    const { near, far, received } = await open(alice, bob)
    const bytes = pattern(1_000_000)
    near.send(bytes)
    await near.close()
    await eventually(() => {
      expect(far.readableEnded).toBe(true)
    })
    expect(sameBytes(Buffer.concat(received), bytes)).toBe(true)
  })

  it('throws at writes after the end, and keeps reading what is half-closed', async () => {
    const [alice, bob] = createMuxers('ours', 'ours')
    const { near, far } = await open(alice, bob)
    await near.close()
    expect(() => near.send(pattern(1))).toThrow(expect.objectContaining({ name: 'StreamStateError' }))
    expect(alice.muxer.streams).toEqual([near])
    expect(bob.muxer.streams).toEqual([far])
  })

  it('ends its streams with the connection below', async () => {
    const [alice, bob] = createMuxers('ours', 'ours')
    const streams = await Promise.all(Array.from({ length: 5 }, () => alice.muxer.createStream()))
    await eventually(() => {
      expect(bob.inbound).toHaveLength(5)
    })
    for (const stream of streams) stream.send(pattern(1_000))
    await Promise.all([alice.wire.close(), bob.wire.close()])
    expect([...streams, ...bob.inbound].map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 'closed'))
  })

  it('refuses streams above what it may open', async () => {
    const [wire] = createWires()
    const muxer = new YamuxMuxer(wire, { maxInboundStreams: 1, maxOutboundStreams: 2 })
    const [first] = [await muxer.createStream(), await muxer.createStream()]
    await expect(muxer.createStream()).rejects.toMatchObject({ name: 'TooManyOutboundProtocolStreamsError' })
    first.abort(new Error('enough'))
    await expect(muxer.createStream()).resolves.toBeDefined()
  })
})
