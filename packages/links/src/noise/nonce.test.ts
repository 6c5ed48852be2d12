import { expect, it } from 'vitest'
import { Nonce } from './nonce.ts'

it('counts from 0 in 64 bits, little-endian, behind four zero bytes', () => {
  const nonce = new Nonce()
  expect([...nonce.next()]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
  expect([...nonce.next()]).toEqual([0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0])
})

it('carries at 2^32 into the upper half, where a counter of 32 bits would use nonces twice', () => {
  const nonce = new Nonce(2 ** 32 - 1)
  expect([...nonce.next()]).toEqual([0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0])
  expect([...nonce.next()]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0])
  expect([...nonce.next()]).toEqual([0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0])
})

it('ends where counting would lose precision, rather than use a nonce twice', () => {
  const nonce = new Nonce(Number.MAX_SAFE_INTEGER - 1)
  expect([...nonce.next()]).toEqual([0, 0, 0, 0, 254, 255, 255, 255, 255, 255, 31, 0])
  expect(() => nonce.next()).toThrow('used up')
  expect(() => nonce.next()).toThrow('used up')
})
