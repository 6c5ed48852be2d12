import { Uint8ArrayList } from 'uint8arraylist'
import { describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { createWires, cutter, pattern, sameBytes, type Wire } from '../test-wire.ts'
import { createBufferPool } from './buffer-pool.ts'
import { SealedStream } from './sealed-stream.ts'
import { aeads } from './test-noise.ts'
import type { Aead } from './aead.ts'

const keys = [pattern(32, 7), pattern(32, 8)] as const

interface End {
  readonly stream: SealedStream
  readonly wire: Wire
  /** What it has written. */
  readonly sealed: Uint8ArrayList
  /** What its reader got. */
  readonly opened: Uint8ArrayList
}

function createEnd(aead: Aead, [sendKey, receiveKey]: readonly [Uint8Array, Uint8Array]): End {
  const sealed = new Uint8ArrayList()
  const opened = new Uint8ArrayList()
  const [wire] = createWires()
  const link = { attach: () => {}, write: (pieces: readonly Uint8Array[]) => (sealed.append(new Uint8ArrayList(...pieces).slice()), true) }
  const stream = new SealedStream({ stream: wire, link, aead, pool: createBufferPool(), sendKey, receiveKey })
  stream.attach((chunk) => {
    opened.append(chunk.slice())
  })
  return { stream, wire, sealed, opened }
}

for (const aead of aeads) {
  const createEnds = (): [End, End] => [createEnd(aead, keys), createEnd(aead, [keys[1], keys[0]])]

  describe(`records by ${aead.name}`, () => {
    it('arrive as they were written, however many pieces they were written in and however the bytes are cut', () => {
      const piece = fc.oneof({ weight: 3, arbitrary: fc.nat(50) }, fc.nat(9_000), fc.nat(140_000))
      const writes = fc.array(fc.array(piece, { maxLength: 6 }), { minLength: 1, maxLength: 4 })
      const cuts = fc.array(fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 80_000 })), { minLength: 1, maxLength: 5 })
      fc.assert(
        fc.property(writes, cuts, (lengths, cut) => {
          const [alice, bob] = createEnds()
          const written = new Uint8ArrayList()
          for (const pieces of lengths.map((each) => each.map((length, index) => pattern(length, length + index)))) {
            written.append(new Uint8ArrayList(...pieces).slice())
            alice.stream.write(pieces)
          }
          for (const chunk of cutter(cut)(alice.sealed.slice())) bob.stream.receive(chunk, 0)
          expect(sameBytes(bob.opened.slice(), written.slice())).toBe(true)
          expect(bob.stream.status).toBe('open')
        }),
        { numRuns: 60 },
      )
    })

    it('give their reader only memory in front that nobody needs any more', () => {
      const [alice] = createEnds()
      for (let count = 0; count < 20; count++) alice.stream.write([pattern(100 + count * 700, count + 1)])
      const sealed = alice.sealed.slice()
      fc.assert(
        fc.property(fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 1, maxLength: 4 }), fc.nat(20), (cut, headroom) => {
          const bob = createEnd(aead, [keys[1], keys[0]])
          const opened = new Uint8ArrayList()
          // A reader that uses all that it may, as yamux does with its headers.
          bob.stream.attach((chunk, free) => {
            opened.append(chunk.slice())
            new Uint8Array(chunk.buffer, chunk.byteOffset - free, free + chunk.length).fill(0xee)
          })
          for (const chunk of cutter(cut)(sealed)) {
            const spacious = new Uint8Array(headroom + chunk.length)
            spacious.set(chunk, headroom)
            bob.stream.receive(spacious.subarray(headroom), headroom)
          }
          expect(bob.stream.status).toBe('open')
          expect(opened.byteLength).toBe(135_000)
        }),
        { numRuns: 30 },
      )
    })

    it('may be empty, alone or between others, and nobody hears of it', () => {
      const [alice, bob] = createEnds()
      const empty = new Uint8Array(18)
      empty[1] = 16
      aead.seal(empty.subarray(2), new Uint8Array(0), new Uint8Array(12), keys[0])
      bob.stream.receive(empty, 0)
      expect([bob.stream.status, bob.opened.byteLength]).toEqual(['open', 0])
      // Alice has not counted it: her first record is the one that is replayed.
      alice.stream.write([pattern(5)])
      bob.stream.receive(alice.sealed.slice(), 0)
      expect(bob.stream.status).toBe('aborted')
    })

    it('abort the connection when one bit of them is changed, and nothing of them or after them is read', () => {
      fc.assert(
        fc.property(
          fc.nat(2),
          fc.nat(),
          fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 3 }),
          (record, where, cut) => {
            const [alice, bob] = createEnds()
            const ends = [0]
            for (const length of [100, 200, 300, 400]) {
              alice.stream.write([pattern(length)])
              ends.push(alice.sealed.byteLength)
            }
            const bytes = alice.sealed.slice()
            const [from = 0, to = 0] = ends.slice(record)
            // Not the length: that cuts differently, and is for the next test.
            const bit = (from + 2) * 8 + (where % ((to - from - 2) * 8))
            bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
            for (const chunk of cutter(cut)(bytes)) bob.stream.receive(chunk, 0)
            expect(bob.stream.status).toBe('aborted')
            expect(bob.wire.status).toBe('aborted')
            expect(bob.opened.byteLength).toBe([0, 100, 300][record])
          },
        ),
        { numRuns: 60 },
      )
    })

    it('abort the connection when they are too short for a tag, cut off inside, left out, or repeated', () => {
      const spoil: Record<string, (records: Uint8Array[]) => Uint8Array[]> = {
        tooShort: () => [Uint8Array.of(0, 15), pattern(15)],
        nothing: () => [Uint8Array.of(0, 0)],
        cutOff: ([first = pattern(1), ...rest]) => [first.subarray(0, -1), ...rest],
        leftOut: ([, ...rest]) => rest,
        repeated: ([first = pattern(1), ...rest]) => [first, first, ...rest],
        swapped: ([first = pattern(1), second = pattern(1)]) => [second, first],
      }
      for (const [name, spoiled] of Object.entries(spoil)) {
        for (const together of [true, false]) {
          const [alice, bob] = createEnds()
          const records = [40, 50, 60].map((length) => {
            alice.stream.write([pattern(length)])
            const record = alice.sealed.slice()
            alice.sealed.consume(record.length)
            return record
          })
          const chunks = spoiled(records).map((chunk) => chunk.slice())
          for (const chunk of together ? [Uint8Array.from(Buffer.concat(chunks))] : chunks) bob.stream.receive(chunk, 0)
          expect([name, bob.stream.status]).toEqual([name, 'aborted'])
        }
      }
    })

    it('are not read any more once one was bad, though those that follow are good', () => {
      const [alice, bob] = createEnds()
      alice.stream.write([pattern(40)])
      const forged = alice.sealed.slice()
      forged[10] = (forged[10] ?? 0) ^ 1
      bob.stream.receive(forged, 0)
      const before = alice.sealed.byteLength
      alice.stream.write([pattern(50)])
      bob.stream.receive(alice.sealed.slice(before), 0)
      expect([bob.stream.status, bob.opened.byteLength]).toEqual(['aborted', 0])
    })

    it('cost nothing while only their length has arrived', () => {
      const [, bob] = createEnds()
      const before = process.memoryUsage().arrayBuffers
      bob.stream.receive(Uint8Array.of(0xff, 0xff), 0)
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024)
    })

    it('are kept as a message until somebody listens, then go to whoever takes over reading', () => {
      const [alice, bob] = [createEnd(aead, keys), createEnd(aead, keys)]
      const stream = new SealedStream({
        stream: bob.wire,
        link: { attach: () => {}, write: () => true },
        aead,
        pool: createBufferPool(),
        sendKey: keys[1],
        receiveKey: keys[0],
      })
      alice.stream.write([pattern(9)])
      stream.receive(alice.sealed.slice(), 0)
      expect(stream.readBufferLength).toBe(9)
      const taken: Uint8Array[] = []
      stream.attach((chunk) => taken.push(chunk.slice()))
      expect(taken).toEqual([pattern(9)])
      expect(stream.readBufferLength).toBe(0)
    })
  })
}
