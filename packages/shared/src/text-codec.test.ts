/** Rules of base64url as the login and the token use it. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { base64urlDecode, base64urlEncode } from './text-codec.ts'

test('base64url gives back what went in', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      expect(base64urlDecode(base64urlEncode(bytes))).toEqual(bytes)
    }),
  )
})

test('base64url agrees with Node', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      expect(base64urlEncode(bytes)).toBe(Buffer.from(bytes).toString('base64url'))
    }),
  )
})

test.each([
  ['QUI=', 'padding'],
  ['A', 'a length that no bytes have'],
  ['Zh', 'bits left over that are not zero'],
  ['Zm+v', 'the other alphabet'],
  ['Zm 9', 'white space'],
])('base64url refuses %j: %s', (text) => {
  expect(base64urlDecode(text)).toBeUndefined()
})
