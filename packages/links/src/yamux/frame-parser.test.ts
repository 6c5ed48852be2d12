import { expect, it } from 'vitest'
import fc from 'fast-check'
import { cutter, pattern } from '../test-wire.ts'
import { createHeader, HEADER_BYTES, TYPE } from './frame.ts'
import { FrameParser } from './frame-parser.ts'

interface Frame {
  readonly type: number
  readonly flags: number
  readonly streamId: number
  readonly length: number
  body?: Uint8Array
}

/** What the parser says, frame by frame; every call that is out of turn throws. */
function createReader(): { parser: FrameParser; frames: Frame[] } {
  const frames: Frame[] = []
  let open: { frame: Frame; pieces: Uint8Array[] } | undefined
  const parser = new FrameParser({
    header(type, flags, streamId, length) {
      if (open !== undefined) throw new Error('a header inside a body')
      const frame = { type, flags, streamId, length }
      frames.push(frame)
      if (type === TYPE.data) open = { frame, pieces: [] }
    },
    body(piece, headroom) {
      if (open === undefined || piece.length === 0) throw new Error('a piece of nothing')
      open.pieces.push(piece.slice())
      // Whoever reads may use this memory; it must be nobody else's.
      new Uint8Array(piece.buffer, piece.byteOffset - headroom, headroom + piece.length).fill(0xee)
    },
    bodyEnd() {
      if (open === undefined) throw new Error('the end of nothing')
      open.frame.body = Buffer.concat(open.pieces)
      open = undefined
    },
  })
  return { parser, frames }
}

const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const control = fc.record({ type: fc.constantFrom(1, 2, 3, 77), flags: fc.nat(0xffff), streamId: u32, length: u32 })
const data = fc
  .record({ type: fc.constant<number>(TYPE.data), flags: fc.nat(0xffff), streamId: u32, length: fc.oneof(fc.nat(30), fc.nat(9_000)) })
  .map((frame) => ({ ...frame, body: Buffer.from(pattern(frame.length, frame.length + 1)) }))

const encode = ({ type, flags, streamId, length, body }: Frame): Buffer =>
  Buffer.concat([createHeader(type, flags, streamId, length), body ?? new Uint8Array(0)])

it('reads the same frames however the bytes are cut, and lends only memory that nobody needs', () => {
  const cuts = fc.array(fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 20_000 })), { minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(fc.array(fc.oneof(control, data), { maxLength: 12 }), cuts, fc.nat(20), (written, cut, headroom) => {
      const { parser, frames } = createReader()
      for (const chunk of cutter(cut)(Buffer.concat(written.map(encode)))) {
        const spacious = new Uint8Array(headroom + chunk.length)
        spacious.set(chunk, headroom)
        parser.receive(spacious.subarray(headroom), headroom)
      }
      expect(frames).toEqual(written)
    }),
    { numRuns: 300 },
  )
})

it('refuses another version at its first byte', () => {
  const { parser } = createReader()
  const header = createHeader(TYPE.ping, 1, 0, 1)
  header[0] = 1
  expect(() => parser.receive(header, 0)).toThrow('version 1')
})

it('announces a data frame before its body is there, and keeps nothing of the body', () => {
  const { parser, frames } = createReader()
  parser.receive(createHeader(TYPE.data, 0, 1, 2 ** 32 - 1), 0)
  expect(frames).toEqual([{ type: TYPE.data, flags: 0, streamId: 1, length: 2 ** 32 - 1 }])
  const before = process.memoryUsage().arrayBuffers
  for (let count = 0; count < 100; count++) parser.receive(new Uint8Array(10), 0)
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024)
})

it('gives the header in front of a body as headroom, and none where there is none', () => {
  const rooms: number[] = []
  const parser = new FrameParser({ header: () => {}, body: (_, headroom) => rooms.push(headroom), bodyEnd: () => {} })
  const frame = Buffer.concat([createHeader(TYPE.data, 0, 1, 4), pattern(4)])
  parser.receive(Buffer.concat([frame, frame]), 0)
  parser.receive(frame.subarray(0, 5), 0)
  parser.receive(frame.subarray(5), 3)
  expect(rooms).toEqual([HEADER_BYTES, HEADER_BYTES, 0])
})
