import { expect, it } from 'vitest'
import fc from 'fast-check'
import { pattern } from './test-wire.ts'
import { ByteQueue } from './byte-queue.ts'

it('gives back what was put in, in order, and knows how much that is', () => {
  const push = fc.record({ push: fc.oneof(fc.nat(20), fc.nat(40_000)) })
  const take = fc.record({ take: fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 70_000 })) })
  fc.assert(
    fc.property(fc.array(fc.oneof(push, take, fc.constant('clear' as const)), { maxLength: 60 }), (steps) => {
      const queue = new ByteQueue()
      let model = Buffer.alloc(0)
      const taken: { bytes: Uint8Array; copy: Uint8Array }[] = []
      for (const step of steps) {
        if (step === 'clear') {
          queue.clear()
          model = Buffer.alloc(0)
        } else if ('push' in step) {
          const bytes = pattern(step.push, model.length + 1)
          model = Buffer.concat([model, bytes])
          queue.push(bytes)
          // It is copied: the memory may be used again at once.
          bytes.fill(0)
        } else {
          const bytes = queue.take(step.take)
          expect(bytes.length).toBeLessThanOrEqual(step.take)
          expect(bytes.length > 0).toBe(model.length > 0)
          expect(Buffer.compare(bytes, model.subarray(0, bytes.length))).toBe(0)
          model = model.subarray(bytes.length)
          taken.push({ bytes, copy: bytes.slice() })
        }
        expect(queue.length).toBe(model.length)
      }
      // What was taken belongs to the taker: nothing wrote over it.
      for (const { bytes, copy } of taken) expect(Buffer.compare(bytes, copy)).toBe(0)
    }),
    { numRuns: 300 },
  )
})

it('does not keep a large buffer for the sake of a few of its bytes', () => {
  const queue = new ByteQueue()
  const large = pattern(64 * 1024)
  queue.push(large.subarray(500, 501))
  const bytes = queue.take(10)
  expect(bytes).toEqual(large.slice(500, 501))
  expect(bytes.buffer).not.toBe(large.buffer)
  expect(bytes.buffer.byteLength).toBeLessThanOrEqual(16 * 1024)
})
