import { ERROR_CODES, FootbridgeError } from '@footbridge/shared/errors'
import { expect, test } from 'vitest'
import { needsToken, sentenceFor, sentenceForError } from './errors.ts'

test.each(ERROR_CODES)('%s has sentences of its own, without the code in them', (code) => {
  const sentence = sentenceFor(code)
  // What happened and what to do: at least two sentences, or two parts of one.
  expect(sentence.length).toBeGreaterThan(50)
  expect(sentence).toMatch(/\.$/)
  expect(sentence).not.toContain('!')
  expect(sentence).not.toContain('_')
  expect(sentence).not.toMatch(/undefined|\{|\}/)
})

test('no two codes say the same', () => {
  expect(new Set(ERROR_CODES.map((code) => sentenceFor(code))).size).toBe(ERROR_CODES.length)
})

test('a wait is told in seconds or minutes', () => {
  expect(sentenceFor('rate_limited', { retryAfterSeconds: 12 })).toContain('12 seconds')
  expect(sentenceFor('rate_limited', { retryAfterSeconds: 1 })).toContain('1 second.')
  expect(sentenceFor('rate_limited', { retryAfterSeconds: 600 })).toContain('10 minutes')
})

test('what was thrown is told by its code, and anything else as unexpected', () => {
  expect(sentenceForError(new FootbridgeError('token_expired', 'x'))).toBe(sentenceFor('token_expired'))
  expect(sentenceForError(new TypeError('x'))).not.toContain('x is')
  expect(sentenceForError(undefined)).toMatch(/unexpected/)
})

test('only another token helps when the old one is gone', () => {
  expect(needsToken('token_revoked')).toBe(true)
  expect(needsToken('unreachable')).toBe(false)
  expect(needsToken(undefined)).toBe(false)
})
