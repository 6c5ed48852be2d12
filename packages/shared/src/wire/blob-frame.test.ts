/** Blob frames: round trip, bounds, and bad input. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isFootbridgeError } from '../errors.ts'
import { MAX_BLOB_FRAME_BYTES } from '../limits.ts'
import { decodeBlobFrame, encodeBlobFrame, type BlobFrame } from './blob-frame.ts'

const request = fc.nat({ max: 0xffffffff })
const frame: fc.Arbitrary<BlobFrame> = fc.oneof(
  fc.record({ kind: fc.constant('want' as const), request, cid: fc.uint8Array({ minLength: 1, maxLength: 128 }) }),
  fc.record({ kind: fc.constant('block' as const), request, bytes: fc.uint8Array({ maxLength: 400 }) }),
  fc.record({ kind: fc.constant('absent' as const), request }),
)

test('a frame gives back what went in', () => {
  fc.assert(
    fc.property(frame, (value) => {
      expect(decodeBlobFrame(Buffer.concat(encodeBlobFrame(value)))).toEqual(toBuffers(value))
    }),
  )
})

test('random bytes are answered with a typed error and nothing else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      try {
        decodeBlobFrame(bytes)
      } catch (error) {
        if (!isFootbridgeError(error)) throw error
      }
    }),
  )
})

test.each([
  [[], 'nothing'],
  [[1], 'no request number'],
  [[1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01, 7], 'a request number of more than five bytes'],
  [[1, 0xff, 0xff, 0xff, 0xff, 0x7f, 7], 'a request number over 32 bits'],
  [[1, 0], 'a want without a CID'],
  [[1, 0, ...new Array<number>(129).fill(1)], 'a want with a CID that no CID needs'],
  [[3, 0, 0], 'bytes after an absent frame'],
  [[4, 0], 'a kind of another version'],
])('%j is refused: %s', (bytes) => {
  expect(() => decodeBlobFrame(Uint8Array.from(bytes))).toThrow(expect.objectContaining({ code: 'protocol_violation' }))
})

test('a frame over the limit is refused before it is read', () => {
  expect(() => decodeBlobFrame(new Uint8Array(MAX_BLOB_FRAME_BYTES + 1))).toThrow(expect.objectContaining({ code: 'too_large' }))
})

/** Decoded byte fields are views of the input's type. */
function toBuffers(value: BlobFrame): unknown {
  if (value.kind === 'want') return { ...value, cid: Buffer.from(value.cid) }
  if (value.kind === 'block') return { ...value, bytes: Buffer.from(value.bytes) }
  return value
}

test('a want is laid out as in docs/protocol.md', () => {
  const cid = Buffer.from('015512202cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824', 'hex')
  const bytes = Buffer.concat(encodeBlobFrame({ kind: 'want', request: 300, cid }))
  expect(bytes.toString('hex')).toBe(`01ac02${cid.toString('hex')}`)
})
