/** Frames are made by ws's own encoder, which knows nothing of our reader. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as ws from 'ws'
import { FrameError, FrameReader } from './frame-reader.ts'

interface FrameOptions {
  readonly opcode?: number
  readonly fin?: boolean
  readonly mask?: boolean
  readonly rsv1?: boolean
}

function frame(payload: Uint8Array, { opcode = 2, fin = true, mask = true, rsv1 = false }: FrameOptions = {}): Buffer {
  const options = { opcode, fin, mask, rsv1, readOnly: true, maskBuffer: Buffer.alloc(4), generateMask }
  return Buffer.concat(encoder.frame(Buffer.from(payload), options))
}

/** Not in ws's types. */
const encoder = (ws as unknown as { Sender: { frame(data: Buffer, options: object): Buffer[] } }).Sender

function generateMask(mask: Buffer): void {
  mask.set([0x5a, 0x01, 0xff, 0x80])
}

interface Heard {
  readonly bytes: Buffer
  readonly pings: readonly string[]
  readonly closed: readonly number[]
}

function read(chunks: readonly Buffer[]): Heard {
  const parts: Buffer[] = []
  const pings: string[] = []
  const closed: number[] = []
  const reader = new FrameReader({
    data(chunk, headroom) {
      // What may be overwritten is overwritten, as the layers above do.
      new Uint8Array(chunk.buffer, chunk.byteOffset - headroom, headroom).fill(0xee)
      parts.push(Buffer.from(chunk))
      chunk.fill(0xdd)
    },
    ping: (payload) => pings.push(Buffer.from(payload).toString()),
    close: (code) => closed.push(code),
  })
  for (const chunk of chunks) reader.receive(chunk)
  return { bytes: Buffer.concat(parts), pings, closed }
}

function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = []
  for (let offset = 0, i = 0; offset < bytes.length; i++) {
    const size = Math.max(1, sizes[i % sizes.length] ?? bytes.length)
    chunks.push(Buffer.from(bytes.subarray(offset, offset + size)))
    offset += size
  }
  return chunks
}

const payloads = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 })
const sizes = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 10 })

describe('the frame reader', () => {
  it('gives the bytes of all messages in order, wherever the socket cuts them', () => {
    fc.assert(
      fc.property(payloads, sizes, (messages, cuts) => {
        const wire = Buffer.concat(messages.map((message) => frame(message)))
        expect(read(cut(wire, cuts)).bytes).toEqual(Buffer.concat(messages))
      }),
    )
  })

  it.each([0, 1, 63, 64, 125, 126, 127, 65_535, 65_536, 300_000])('reads a message of %i bytes, at any alignment', (length) => {
    const payload = Buffer.from(Array.from({ length }, (_, i) => (i * 7) & 0xff))
    for (const offset of [0, 1, 2, 3]) {
      const wire = frame(payload)
      const shifted = Buffer.alloc(wire.length + offset + 8).subarray(offset + 8)
      wire.copy(shifted)
      expect(read([shifted]).bytes.equals(payload)).toBe(true)
    }
  })

  it('reads a message in parts, and what stands between them', () => {
    const wire = [
      frame(Buffer.from('foot'), { fin: false }),
      frame(Buffer.from('are you there'), { opcode: 9 }),
      frame(Buffer.from('br'), { opcode: 0, fin: false }),
      frame(Buffer.from('idge'), { opcode: 0 }),
      frame(Buffer.from('!')),
    ]
    expect(read([Buffer.concat(wire)])).toMatchObject({ bytes: Buffer.from('footbridge!'), pings: ['are you there'] })
  })

  it('tells the code of a close frame and ignores what follows it', () => {
    expect(read([Buffer.concat([frame(Buffer.from([0x0f, 0xa1]), { opcode: 8 }), frame(Buffer.from('late'))])])).toMatchObject({
      bytes: Buffer.alloc(0),
      closed: [4001],
    })
    expect(read([frame(Buffer.alloc(0), { opcode: 8 })]).closed).toEqual([1005])
  })

  it.each([
    [frame(Buffer.from('x'), { mask: false }), 1002, 'without a mask'],
    [frame(Buffer.from('x'), { rsv1: true }), 1002, 'compressed, which was not agreed'],
    [frame(Buffer.from('x'), { opcode: 1 }), 1003, 'text'],
    [frame(Buffer.from('x'), { opcode: 3 }), 1002, 'of an unknown kind'],
    [frame(Buffer.from('x'), { opcode: 11 }), 1002, 'of an unknown kind of control'],
    [frame(Buffer.from('x'), { opcode: 0 }), 1002, 'that goes on with nothing'],
    [Buffer.concat([frame(Buffer.from('x'), { fin: false }), frame(Buffer.from('x'))]), 1002, 'that begins inside another'],
    [frame(Buffer.alloc(126), { opcode: 9 }), 1002, 'that pings with too much'],
    [frame(Buffer.from('x'), { opcode: 9, fin: false }), 1002, 'that pings in parts'],
    [frame(Buffer.from('x'), { opcode: 8 }), 1002, 'that closes with half a code'],
    [Buffer.from('82ffffffffffffffffff00000000', 'hex'), 1009, 'that is longer than numbers go'],
  ])('refuses a frame %# with %i: %s', (wire, code) => {
    expect(() => read([wire])).toThrow(FrameError)
    try {
      read([wire])
    } catch (error) {
      expect(error).toMatchObject({ code })
    }
  })

  it('throws nothing else, whatever comes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 10 }), (chunks) => {
        try {
          read(chunks.map((chunk) => Buffer.from(chunk)))
        } catch (error) {
          expect(error).toBeInstanceOf(FrameError)
        }
      }),
      { numRuns: 2_000 },
    )
  })
})
