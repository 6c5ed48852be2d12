/** The tunnel's frames: what fits goes through unchanged however it is cut into pieces; everything else is refused with a code. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isFootbridgeError } from '../errors.ts'
import { createTunnelFrameDecoder, decodeTunnelFrames, encodeTunnelFrames, type FlowFrame, type TunnelFrame } from './tunnel-frame.ts'

const number = fc.maxSafeNat()
const flow: fc.Arbitrary<FlowFrame> = fc.record({ type: fc.constant('flow' as const), received: number, limit: number })
const frame: fc.Arbitrary<TunnelFrame> = fc.oneof(
  flow,
  fc.record({ type: fc.constant('data' as const), offset: number, bytes: fc.uint8Array({ maxLength: 300 }) }),
  fc.record({ type: fc.constant('end' as const), offset: number, code: number, reason: fc.string({ maxLength: 40 }) }),
  fc.record({ type: fc.constant('wait' as const), ms: number }),
)
const frames = fc.tuple(flow, fc.array(frame, { maxLength: 6 })).map(([first, rest]): TunnelFrame[] => [first, ...rest])

test('any frames come back from their body, in whatever pieces it arrives', () => {
  fc.assert(
    fc.property(frames, fc.integer({ min: 1, max: 50 }), (sent, size) => {
      const body = encodeTunnelFrames(sent)
      expect(decodeTunnelFrames(body)).toEqual(sent)
      const decoder = createTunnelFrameDecoder()
      const came: TunnelFrame[] = []
      for (let at = 0; at < body.length; at += size) came.push(...decoder.decode(body.subarray(at, at + size)))
      expect(came).toEqual(sent)
    }),
  )
})

test('a body that was cut gives the frames that are whole', () => {
  fc.assert(
    fc.property(frames, fc.nat(), (sent, cut) => {
      const body = encodeTunnelFrames(sent)
      const came = createTunnelFrameDecoder().decode(body.subarray(0, cut % (body.length + 1)))
      expect(came).toEqual(sent.slice(0, came.length))
    }),
  )
})

test('random bytes never throw anything but a FootbridgeError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, looksRight) => {
      const body = looksRight ? Uint8Array.of(1, 2, 0, 0, ...bytes) : bytes
      try {
        decodeTunnelFrames(body)
      } catch (error) {
        expect(isFootbridgeError(error, 'protocol_violation')).toBe(true)
      }
    }),
  )
})

test('the page that a proxy made up is not taken for an answer', () => {
  expect(() => decodeTunnelFrames(new TextEncoder().encode('<!DOCTYPE html><title>Blocked</title>'))).toThrow()
  expect(() => decodeTunnelFrames(new Uint8Array())).toThrow()
})

test('a frame of a kind that is not known is skipped', () => {
  const body = Uint8Array.of(
    ...encodeTunnelFrames([{ type: 'flow', received: 1, limit: 2 }]),
    9,
    3,
    1,
    2,
    3,
    ...encodeTunnelFrames([{ type: 'wait', ms: 5 }]),
  )
  expect(decodeTunnelFrames(body)).toEqual([
    { type: 'flow', received: 1, limit: 2 },
    { type: 'wait', ms: 5 },
  ])
})

test('a frame over the limit is refused before it is there', () => {
  const head = Uint8Array.of(...encodeTunnelFrames([{ type: 'flow', received: 0, limit: 0 }]), 2, 0xff, 0xff, 0xff, 0x7f)
  expect(() => createTunnelFrameDecoder().decode(head)).toThrow(expect.objectContaining({ code: 'protocol_violation' }))
})

test('the vector of docs/protocol.md section 9', () => {
  const body = encodeTunnelFrames([
    { type: 'flow', received: 5, limit: 524_293 },
    { type: 'data', offset: 300, bytes: new TextEncoder().encode('hello') },
  ])
  expect([...body].map((byte) => byte.toString(16).padStart(2, '0')).join('')).toBe('01040585802002' + '07ac0268656c6c6f')
})
