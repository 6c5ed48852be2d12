import { describe, expect, it } from 'vitest'
import type { Stream } from '@libp2p/interface'
import { eventually, pattern } from '../test-wire.ts'
import { FLAG, GO_AWAY, INITIAL_WINDOW_BYTES, TYPE } from './frame.ts'
import { createMuxers, createRaw, limits, type Raw } from './test-yamux.ts'
import { YamuxStream } from './yamux-stream.ts'

/** A stream that the remote opened. */
async function accept(raw: Raw, streamId = 1): Promise<YamuxStream> {
  raw.write(TYPE.windowUpdate, FLAG.syn, streamId, 0)
  const stream = await eventually(() => {
    const found = raw.inbound.find((each) => each.id === String(streamId))
    if (found === undefined) throw new Error('not yet')
    return found
  })
  if (!(stream instanceof YamuxStream)) throw new Error('not ours')
  return stream
}

const aborted = async ({ wire, muxer }: Raw): Promise<void> => {
  await eventually(() => {
    expect(wire.status).toBe('aborted')
  })
  expect([muxer.status, muxer.streams.length]).toEqual(['closed', 0])
}

describe('a remote that does not keep to the protocol', () => {
  it.each<[string, (raw: Raw) => void]>([
    ['sends another version', ({ remote }) => void remote.send(Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))],
    ['sends a type that does not exist', ({ write }) => write(4, 0, 1, 0)],
    ['sends data for stream 0', ({ write }) => write(TYPE.data, FLAG.syn, 0, 0)],
    ['sends a window update for stream 0', ({ write }) => write(TYPE.windowUpdate, 0, 0, 1)],
    ['sends a ping on a stream', ({ write }) => write(TYPE.ping, FLAG.syn, 1, 0)],
    ['opens a stream with a number of ours', ({ write }) => write(TYPE.windowUpdate, FLAG.syn, 2, 0)],
    ['announces more than the window in one frame', ({ write }) => write(TYPE.data, FLAG.syn, 1, INITIAL_WINDOW_BYTES + 1)],
  ])('%s: the connection is aborted, with a go-away', async (_, misbehave) => {
    const raw = createRaw()
    let left = Buffer.alloc(0)
    raw.wire.tap = (bytes) => (left = Buffer.concat([left, bytes]))
    misbehave(raw)
    await aborted(raw)
    expect([...left.subarray(-12)]).toEqual([0, TYPE.goAway, 0, 0, 0, 0, 0, 0, 0, 0, 0, GO_AWAY.protocolError])
  })

  it('sends more than the window in many frames: the connection is aborted at the first byte above', async () => {
    const raw = createRaw()
    const stream = await accept(raw)
    stream.pause()
    for (let sent = 0; sent < INITIAL_WINDOW_BYTES; sent += 32 * 1024) raw.write(TYPE.data, 0, 1, 32 * 1024, pattern(32 * 1024))
    await eventually(() => {
      expect(stream.readBufferLength).toBe(INITIAL_WINDOW_BYTES)
    })
    expect(raw.wire.status).toBe('open')
    raw.write(TYPE.data, 0, 1, 1, pattern(1))
    await aborted(raw)
  })

  it('writes for streams that are not there: it is read over, and the rest is understood', async () => {
    const raw = createRaw()
    raw.write(TYPE.data, 0, 77, 1_000, pattern(1_000))
    raw.write(TYPE.windowUpdate, FLAG.fin, 79, 5)
    raw.write(TYPE.data, FLAG.rst, 77, 0)
    const received = await accept(raw)
    expect(received.status).toBe('open')
    expect(raw.muxer.streams).toHaveLength(1)
  })

  it('opens more streams than may be: those above are reset, and there is room again when one ends', async () => {
    const raw = createRaw()
    for (let count = 0; count < limits.maxInboundStreams + 50; count++) raw.write(TYPE.windowUpdate, FLAG.syn, 1 + 2 * count, 0)
    await eventually(() => {
      expect(raw.frames.filter(({ flags }) => flags === FLAG.rst)).toHaveLength(50)
    })
    expect(raw.muxer.streams).toHaveLength(limits.maxInboundStreams)
    raw.write(TYPE.windowUpdate, FLAG.rst, 1, 0)
    await accept(raw, 9_001)
  })

  it('opens the same stream twice: it is one', async () => {
    const raw = createRaw()
    await accept(raw)
    raw.write(TYPE.windowUpdate, FLAG.syn, 1, 0)
    await accept(raw, 3)
    expect(raw.muxer.streams).toHaveLength(2)
  })

  it('opens streams for ever before anybody listens: 16 are kept, the others reset', async () => {
    const raw = createRaw({ listens: false })
    for (let count = 0; count < 100; count++) raw.write(TYPE.windowUpdate, FLAG.syn, 1 + 2 * count, 0)
    await eventually(() => {
      expect(raw.frames.filter(({ flags }) => flags === FLAG.rst)).toHaveLength(84)
    })
    raw.muxer.addEventListener('stream', ({ detail }) => raw.inbound.push(detail))
    await eventually(() => {
      expect(raw.inbound.map(({ id }) => id)).toEqual(Array.from({ length: 16 }, (_, index) => String(1 + 2 * index)))
    })
  })

  it.each(['with no stream', 'with many streams'])(
    'pings for ever and does not read, %s: the connection is aborted at a bound',
    async (how) => {
      const raw = createRaw({ capacity: 64 * 1024 })
      if (how === 'with many streams') for (let count = 0; count < 200; count++) await accept(raw, 1 + 2 * count)
      raw.remote.pause()
      let failed: unknown
      raw.wire.addEventListener('close', ({ error }) => (failed = error))
      let held = 0
      for (let turn = 0; turn < 100 && raw.wire.status === 'open'; turn++) {
        for (let count = 0; count < 2_000; count++) raw.write(TYPE.ping, FLAG.syn, 0, count)
        await new Promise<void>((resolve) => void setImmediate(resolve))
        held = Math.max(held, raw.wire.bytesOnWay + raw.wire.writeBufferLength)
      }
      await aborted(raw)
      expect(failed).toMatchObject({ message: 'the remote asks and does not listen' })
      // What the connection holds, and one turn's answers.
      expect(held).toBeLessThan(256 * 1024)
    },
  )

  it('resets and reopens streams for ever: nothing of them is left', async () => {
    const raw = createRaw()
    for (let count = 0; count < 2_000; count++) {
      raw.write(TYPE.data, FLAG.syn, 1 + 2 * count, 10, pattern(10))
      raw.write(TYPE.windowUpdate, FLAG.rst, 1 + 2 * count, 0)
    }
    await accept(raw, 8_001)
    expect(raw.muxer.streams.map(({ id }) => id)).toEqual(['8001'])
  })
})

describe('saying goodbye', () => {
  it('answers a polite go-away by ending the streams and closing the connection', async () => {
    const raw = createRaw()
    const stream = await accept(raw)
    raw.write(TYPE.goAway, 0, 0, GO_AWAY.normal)
    await eventually(() => {
      expect(raw.wire.status).toBe('closed')
    })
    expect([stream.status, raw.muxer.status]).toEqual(['closed', 'closed'])
    await expect(raw.muxer.createStream()).rejects.toMatchObject({ name: 'MuxerClosedError' })
  })

  it.each([GO_AWAY.protocolError, GO_AWAY.internalError, 99])('answers a go-away with code %i by aborting all', async (code) => {
    const raw = createRaw()
    const stream = await accept(raw)
    raw.write(TYPE.goAway, 0, 0, code)
    await aborted(raw)
    expect(stream.status).toBe('aborted')
  })

  it('ends when the connection closes while frames wait for it', async () => {
    const raw = createRaw({ capacity: 1 })
    const stream = await accept(raw)
    raw.remote.pause()
    stream.forward(pattern(70_000), 0)
    await eventually(() => {
      expect(raw.wire.bytesOnWay).toBeGreaterThan(0)
    })
    const closed = raw.wire.close()
    stream.forward(pattern(10), 0)
    raw.write(TYPE.ping, FLAG.syn, 0, 1)
    raw.remote.resume()
    await closed
    expect(raw.muxer.status).toBe('closed')
  })
})

describe('order on the connection', () => {
  it('answers a ping while a circuit is full whose reader does not read', async () => {
    const raw = createRaw()
    const stream = await accept(raw)
    stream.divert(() => {})
    let forwarded = 0
    stream.onForwarded = (bytes) => (forwarded += bytes)
    for (let sent = 0; sent < 4; sent++) stream.forward(pattern(128 * 1024), 0)
    await eventually(() => {
      expect(raw.frames.filter(({ type }) => type === TYPE.data).reduce((sum, { length }) => sum + length, 0)).toBe(INITIAL_WINDOW_BYTES)
    })
    expect(forwarded).toBe(INITIAL_WINDOW_BYTES)
    raw.write(TYPE.ping, FLAG.syn, 0, 42)
    await eventually(() => {
      expect(raw.frames.at(-1)).toEqual({ type: TYPE.ping, flags: FLAG.ack, streamId: 0, length: 42 })
    })
  })

  it('lets control pass bulk that waits for the connection: behind it is only what the connection already had', async () => {
    const raw = createRaw({ capacity: 64 * 1024 })
    const streams = [await accept(raw, 1), await accept(raw, 3), await accept(raw, 5)]
    raw.remote.pause()
    for (const stream of streams) for (let sent = 0; sent < 4; sent++) stream.forward(pattern(60 * 1024), 0)
    raw.write(TYPE.ping, FLAG.syn, 0, 7)
    await eventually(() => {
      expect(raw.remote.bytesOnWay).toBe(0)
    })
    raw.remote.resume()
    await eventually(() => {
      expect(raw.frames.filter(({ type }) => type === TYPE.data).reduce((sum, { length }) => sum + length, 0)).toBe(720 * 1024)
    })
    const at = raw.frames.findIndex(({ type }) => type === TYPE.ping)
    const before = raw.frames.slice(0, at).reduce((sum, { type, length }) => sum + (type === TYPE.data ? length : 0), 0)
    expect(before).toBeLessThanOrEqual(256 * 1024)
    // The first filled the connection; the two that waited take turns.
    const waited = raw.frames.filter(({ type, streamId }) => type === TYPE.data && streamId !== 1).map(({ streamId }) => streamId)
    expect(waited).toEqual([3, 5, 3, 5, 3, 5, 3, 5])
  })

  it('sends many small messages of one stream in one turn as one data frame, and keeps streams and control apart', async () => {
    const raw = createRaw()
    const [one, other] = [await accept(raw, 1), await accept(raw, 3)]
    for (const stream of [one, other]) stream.send(pattern(1))
    await eventually(() => {
      expect(raw.frames).toHaveLength(2)
    })
    for (let count = 0; count < 50; count++) one.forward(pattern(20), 0)
    other.forward(pattern(7), 0)
    one.forward(pattern(9), 0)
    await eventually(() => {
      expect(raw.frames.slice(2).map(({ streamId, length }) => [streamId, length])).toEqual([
        [1, 1_000],
        [3, 7],
        [1, 9],
      ])
    })
  })

  it('keeps the bytes of merged messages in order, and in front of the end', async () => {
    const [alice, bob] = createMuxers('ours', 'stock')
    const received: number[] = []
    let far: Stream | undefined
    bob.muxer.addEventListener('stream', ({ detail }) => {
      far = detail
      detail.addEventListener('message', ({ data }) => received.push(...data.subarray()))
    })
    const stream = await alice.muxer.createStream()
    for (let count = 0; count < 1_000; count++) stream.send(Uint8Array.of(count >> 8, count))
    await stream.close()
    await eventually(() => {
      expect(far?.readableEnded).toBe(true)
    })
    expect(received).toEqual(Array.from({ length: 1_000 }, (_, count) => [count >> 8, count & 0xff]).flat())
  })
})

describe('memory', () => {
  it('does not keep a large chunk for the sake of a piece of it that waits', async () => {
    const raw = createRaw()
    const stream = await accept(raw)
    stream.pause()
    // As sockets give it: a Buffer, whose slice() is a view.
    const chunk = Buffer.alloc(64 * 1024)
    stream.expectData(1)
    stream.receiveData(chunk.subarray(100, 101), 0)
    const kept: ArrayBufferLike[] = []
    stream.addEventListener('message', ({ data }) => {
      for (const part of data instanceof Uint8Array ? [data] : data) kept.push(part.buffer)
    })
    stream.resume()
    expect(kept).toHaveLength(1)
    expect(kept).not.toContain(chunk.buffer)
  })
})
