/**
 * What may be sent where: bytes that came, bytes that went, rates, and memory that does not grow.
 */
import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import {
  STUN_BURST_IN_ALL,
  STUN_BURST_PER_NETWORK,
  STUN_LOGIN_CREDIT_BYTES,
  STUN_MAX_ADDRESSES,
  STUN_MAX_CREDIT_BYTES,
  STUN_MAX_NETWORKS,
  STUN_PER_SECOND_AND_NETWORK,
} from '../limits.ts'
import { createAllowance, type Allowance } from './allowance.ts'

let now = 0
let allowance: Allowance
beforeEach(() => {
  now = 1_000_000
  allowance = createAllowance({ now: () => now })
})

const ALICE = '192.0.2.1'

describe('an address', () => {
  it('earns an answer of 32 bytes with two requests of 20, and the next with its retransmissions', () => {
    const answers = [1, 2, 3, 4, 5, 6].map(() => {
      allowance.receive(ALICE, 20)
      return allowance.spend(ALICE, 32)
    })
    expect(answers).toEqual([false, true, false, true, true, false])
  })

  it('that asks with as much as it gets is answered each time', () => {
    for (let times = 0; times < 10; times++) {
      allowance.receive(ALICE, 40)
      expect(allowance.spend(ALICE, 40)).toBe(true)
    }
  })

  it('at which somebody has logged in is answered at once, and after 50 answers by what it sends', () => {
    allowance.vouch(ALICE)
    let answered = 0
    for (let times = 0; times < 60; times++) {
      allowance.receive(ALICE, 20)
      if (allowance.spend(ALICE, 32)) answered++
      else break
    }
    expect(answered).toBe(STUN_LOGIN_CREDIT_BYTES / 12)
  })

  it('cannot save up more than a little', () => {
    for (let times = 0; times < 100; times++) allowance.receive(ALICE, 1_280)
    expect(allowance.spend(ALICE, STUN_MAX_CREDIT_BYTES + 1)).toBe(false)
    expect(allowance.spend(ALICE, STUN_MAX_CREDIT_BYTES)).toBe(true)
  })

  it('pays for itself alone, and is one whether it comes by IPv4 or inside IPv6', () => {
    allowance.receive(ALICE, 100)
    expect(allowance.spend('192.0.2.2', 32)).toBe(false)
    expect(allowance.spend(`::ffff:${ALICE}`, 32)).toBe(true)
    allowance.receive('2001:db8::1', 100)
    expect(allowance.spend('2001:db8::2', 32)).toBe(false)
    expect(allowance.spend('2001:db8::1', 44)).toBe(true)
  })

  it('never gets more than came from it, in whatever order', () => {
    const step = fc.record({
      who: fc.integer({ min: 1, max: 4 }),
      came: fc.integer({ min: 20, max: 200 }),
      wants: fc.integer({ min: 32, max: 60 }),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const book = createAllowance({ now: () => 0 })
        const balance = new Map<number, number>()
        for (const { who, came, wants } of steps) {
          book.receive(`192.0.2.${who}`, came)
          const paid = book.spend(`192.0.2.${who}`, wants) ? wants : 0
          balance.set(who, (balance.get(who) ?? 0) + came - paid)
        }
        expect([...balance.values()].every((left) => left >= 0)).toBe(true)
      }),
    )
  })
})

describe('rates', () => {
  it('hold a network, IPv4 /24 or IPv6 /48, and let it go on when time has passed', () => {
    for (const [one, neighbour, stranger] of [
      ['192.0.2.1', '192.0.2.200', '192.0.3.1'],
      ['2001:db8:1:1::1', '2001:db8:1:ffff::1', '2001:db8:2::1'],
    ] as const) {
      for (let times = 0; times < STUN_BURST_PER_NETWORK; times++) expect(allowance.receive(one, 20)).toBe(true)
      expect(allowance.receive(one, 20)).toBe(false)
      expect(allowance.receive(neighbour, 20)).toBe(false)
      expect(allowance.receive(stranger, 20)).toBe(true)
      now += 1_000
      for (let times = 0; times < STUN_PER_SECOND_AND_NETWORK; times++) expect(allowance.receive(neighbour, 20)).toBe(true)
      expect(allowance.receive(neighbour, 20)).toBe(false)
    }
  })

  it('hold all together, whoever asks', () => {
    let passed = 0
    for (let index = 0; index < STUN_BURST_IN_ALL + 1_000; index++)
      if (allowance.receive(`10.${(index >> 8) & 255}.${index & 255}.1`, 20)) passed++
    expect(passed).toBe(STUN_BURST_IN_ALL)
  })

  it('are not undone by a clock that is set back', () => {
    for (let times = 0; times < STUN_BURST_PER_NETWORK; times++) allowance.receive(ALICE, 20)
    now -= 3_600_000
    expect(allowance.receive(ALICE, 20)).toBe(false)
    now += 1_000
    expect(allowance.receive(ALICE, 20)).toBe(true)
  })
})

it('remembers no more addresses and networks than it may, and the newest rather than the oldest', () => {
  for (let index = 0; index < STUN_MAX_ADDRESSES + 5_000; index++) {
    now += 1
    allowance.receive(`10.${(index >> 8) & 255}.${index & 255}.${index >> 16}`, 40)
  }
  expect(allowance.size).toEqual({ addresses: STUN_MAX_ADDRESSES, networks: STUN_MAX_NETWORKS })
  expect(allowance.spend('10.0.0.0', 32)).toBe(false)
})
