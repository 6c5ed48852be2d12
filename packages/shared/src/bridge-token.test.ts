/** The token's text form and login links. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatBridgeToken, formatLoginLink, parseBridgeToken, parseLogin } from './bridge-token.ts'

const secret = fc.uint8Array({ minLength: 32, maxLength: 32 })

test('a token reads back from its text, its link, and both with white space around', () => {
  fc.assert(
    fc.property(secret, (bytes) => {
      const token = formatBridgeToken(bytes)
      expect(parseBridgeToken(` ${token}\n`)).toBe(token)
      expect(parseLogin(token)).toEqual({ token })
      expect(parseLogin(` ${formatLoginLink('https://bridge.example:8443', token)} `)).toEqual({
        token,
        origin: 'https://bridge.example:8443',
      })
    }),
  )
})

test('a token survives a link that has a path and other fragment fields', () => {
  const token = formatBridgeToken(new Uint8Array(32))
  expect(parseLogin(`http://localhost:8080/app?x=1#lang=en&token=${token}`)).toEqual({ token, origin: 'http://localhost:8080' })
})

test('arbitrary text is no token and never throws', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 200 }), (text) => {
      expect(parseLogin(text)).toBeUndefined()
    }),
  )
})

test.each([
  ['', 'nothing'],
  ['fb1_', 'no secret'],
  [`fb1_${'A'.repeat(42)}`, 'one character short'],
  [`fb1_${'A'.repeat(44)}`, 'one character long'],
  [`fb2_${'A'.repeat(43)}`, 'another version'],
  [`fb1_${'A'.repeat(42)}B`, 'bits left over that are not zero'],
  [`https://bridge.example/?token=fb1_${'A'.repeat(43)}`, 'a token in the query, where servers see it'],
])('%j is refused: %s', (text) => {
  expect(parseLogin(text)).toBeUndefined()
})

test('a secret of another length is a mistake of the caller', () => {
  expect(() => formatBridgeToken(new Uint8Array(31))).toThrow(RangeError)
})
