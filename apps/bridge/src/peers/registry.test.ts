import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createRegistry, type Registry, type SessionChange } from './registry.ts'
import type { Grant } from './session.ts'

const grant = (peer: string, more: Partial<Grant> = {}): Grant => ({
  peer,
  tokenId: 't_1',
  tokenLabel: 'Friends',
  guest: false,
  name: peer,
  expiresAt: 60_000,
  maxReservations: null,
  maxCircuits: null,
  circuitsPerMinute: null,
  bytesPerDay: null,
  bytesPerSecond: null,
  ...more,
})

describe('the registry', () => {
  let connections: Map<string, number>
  let registry: Registry
  let told: string[]

  beforeEach(() => {
    vi.useFakeTimers({ now: 0 })
    connections = new Map()
    told = []
    registry = createRegistry({ clock: Date.now, connectionsOf: (peer) => connections.get(peer) ?? 0, maxSessions: 2, maxListeners: 1 })
    registry.subscribe(({ peer, before, after }: SessionChange) => told.push(`${peer}: ${before?.state ?? 'none'} to ${after.state}`))
    registry.start()
  })

  afterEach(() => {
    registry.stop()
    vi.useRealTimers()
  })

  it('tells of every step of a virtual peer, from login to logout', () => {
    registry.admit(grant('alice'))
    connections.set('alice', 1)
    registry.connectionsChanged('alice')
    registry.reserved('alice')
    registry.unreserved('alice')
    connections.set('alice', 0)
    registry.connectionsChanged('alice')
    registry.end('alice', 'logout')
    expect(told).toEqual([
      'alice: none to admitted',
      'alice: admitted to connected',
      'alice: connected to reachable',
      'alice: reachable to connected',
      'alice: connected to admitted',
      'alice: admitted to ended',
    ])
    expect(registry.get('alice')).toBeUndefined()
  })

  it('counts connections that were there before the login', () => {
    connections.set('alice', 2)
    registry.admit(grant('alice'))
    expect(registry.get('alice')).toMatchObject({ state: 'connected', connections: 2 })
  })

  it('takes a reservation as a sign of the connection that it came by', () => {
    registry.admit(grant('alice'))
    connections.set('alice', 1)
    registry.reserved('alice')
    expect(registry.get('alice')?.state).toBe('reachable')
  })

  it('ignores facts about whoever has no session', () => {
    connections.set('bob', 1)
    registry.connectionsChanged('bob')
    registry.reserved('bob')
    registry.profile('bob', { name: 'Bob', device: 'phone' })
    registry.end('bob', 'logout')
    expect(registry.list()).toEqual([])
    expect(told).toEqual([])
  })

  it('renews in place: a second login keeps connection and reservation', () => {
    connections.set('alice', 1)
    registry.admit(grant('alice'))
    registry.reserved('alice')
    registry.admit(grant('alice', { expiresAt: 90_000 }))
    expect(registry.get('alice')).toMatchObject({ state: 'reachable', grant: { expiresAt: 90_000 } })
  })

  it('ends what has expired within a second', () => {
    registry.admit(grant('alice'))
    vi.advanceTimersByTime(59_000)
    expect(registry.list()).toHaveLength(1)
    vi.advanceTimersByTime(2_000)
    expect(told.at(-1)).toBe('alice: admitted to ended')
  })

  it('ends every session of a token, and no other', () => {
    registry.admit(grant('alice'))
    registry.admit(grant('bob', { tokenId: 't_2' }))
    registry.endByToken('t_1', 'revoked')
    expect(registry.list().map(({ grant: { peer } }) => peer)).toEqual(['bob'])
  })

  it('refuses a login past its cap, but not a renewal', () => {
    registry.admit(grant('alice'))
    registry.admit(grant('bob'))
    expect(() => registry.admit(grant('charlie'))).toThrow(expect.objectContaining({ code: 'bridge_full' }))
    registry.admit(grant('alice', { expiresAt: 70_000 }))
    expect(registry.get('alice')?.grant.expiresAt).toBe(70_000)
  })

  it('refuses listeners past its cap', () => {
    expect(() => registry.subscribe(() => {})).toThrow(expect.objectContaining({ code: 'bridge_full' }))
  })
})
