import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { ANNOUNCED_RENDEZVOUS_TTL_MS } from '../limits.ts'
import type { Carried } from './announcement.ts'
import { createRendezvousPlace, type RendezvousPlace } from './rendezvous-place.ts'

const alice: Carried = { peer: 'alice', seq: 1, envelope: Uint8Array.of(1), legacy: Uint8Array.of(2), addresses: [] }
let registered: Map<string, unknown>
let renewals: number
let hasRoom: boolean
let place: RendezvousPlace
let errors: unknown[]

beforeEach(() => {
  vi.useFakeTimers()
  ;[registered, renewals, hasRoom, errors] = [new Map(), 0, true, []]
  place = createRendezvousPlace({
    namespaces: () => ['footbridge', 'soma'],
    registrar: {
      register({ namespace, peer, ...record }) {
        renewals++
        if (hasRoom || namespace === 'footbridge') registered.set(`${namespace} ${peer}`, record)
        return hasRoom || namespace === 'footbridge'
      },
      unregister: (peer, namespace) => void registered.delete(`${namespace} ${peer}`),
    },
    onError: (error) => errors.push(error),
  })
  place.start()
})
afterEach(() => {
  place.stop()
  vi.useRealTimers()
})

it('stands in every namespace with both records as they were signed, until it is withdrawn', () => {
  expect(place.announce(alice)).toBe('announced')
  const record = { standard: alice.envelope, legacy: alice.legacy, ttlSeconds: ANNOUNCED_RENDEZVOUS_TTL_MS / 1000 }
  expect(registered).toEqual(
    new Map([
      ['footbridge alice', record],
      ['soma alice', record],
    ]),
  )
  place.withdraw('alice')
  place.withdraw('alice')
  expect(registered.size).toBe(0)
})

it('is renewed before it runs out, and no more once it is withdrawn or stopped', () => {
  place.announce(alice)
  vi.advanceTimersByTime(2 * ANNOUNCED_RENDEZVOUS_TTL_MS)
  expect(renewals).toBe(2 + 4 * 2)
  place.withdraw('alice')
  vi.advanceTimersByTime(2 * ANNOUNCED_RENDEZVOUS_TTL_MS)
  expect(renewals).toBe(2 + 4 * 2)
  place.announce(alice)
  place.stop()
  place.stop()
  vi.advanceTimersByTime(2 * ANNOUNCED_RENDEZVOUS_TTL_MS)
  expect(renewals).toBe(2 + 4 * 2 + 2)
})

it('says full when one namespace has no room, and takes back what the others took', () => {
  hasRoom = false
  expect(place.announce(alice)).toBe('full')
  expect([...registered.keys()]).toEqual(['footbridge alice'])
  place.withdraw('alice')
  expect(registered.size).toBe(0)
})
