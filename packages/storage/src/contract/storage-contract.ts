/**
 * What every storage adapter must do, as a suite: an adapter's test file calls this and nothing drifts.
 * Not here: what only one adapter can do (survive a reopening, file modes); that is in the adapter's own test file.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { DeviceRecord, Storage, TokenRecord } from '../ports.ts'

export const token = (id: string, fields: Partial<TokenRecord> = {}): TokenRecord => ({
  id,
  hash: `hash of ${id}`,
  label: 'class of 2026',
  createdAt: 1_000,
  expiresAt: null,
  maxDevices: null,
  maxReservations: null,
  maxCircuits: null,
  circuitsPerMinute: null,
  bytesPerDay: null,
  bytesPerSecond: null,
  guest: false,
  revokedAt: null,
  ...fields,
})

export const device = (peer: string, tokenId: string, fields: Partial<DeviceRecord> = {}): DeviceRecord => ({
  peer,
  tokenId,
  name: `${peer}'s phone`,
  enrolledAt: 2_000,
  lastSeenAt: 2_000,
  ...fields,
})

/** @param open makes an empty store; it is closed after each test. */
export function storageContract(name: string, open: () => Storage): void {
  describe(`${name} storage`, () => {
    let storage: Storage
    beforeEach(() => {
      storage = open()
    })
    afterEach(() => storage.close())

    describe('tokens', () => {
      it('gives back a token as it was inserted, by id and by hash', async () => {
        const limits = { maxDevices: 3, maxReservations: 4, maxCircuits: 5, circuitsPerMinute: 6, bytesPerDay: 5e12, bytesPerSecond: 1e6 }
        const full = token('t_full', { ...limits, expiresAt: 9_000, guest: true, revokedAt: 7 })
        await storage.tokens.insert(full)
        await storage.tokens.insert(token('t_open'))
        expect(await storage.tokens.get('t_full')).toEqual(full)
        expect(await storage.tokens.findByHash(full.hash)).toEqual(full)
        expect(await storage.tokens.get('t_open')).toEqual(token('t_open'))
      })

      it('knows nothing of an id or a hash that was never inserted', async () => {
        expect(await storage.tokens.get('t_none')).toBeUndefined()
        expect(await storage.tokens.findByHash('none')).toBeUndefined()
        expect(await storage.tokens.revoke('t_none', 1)).toBeUndefined()
        expect(await storage.tokens.setLimits('t_none', token('t_none'))).toBeUndefined()
      })

      it('changes the limits of one token and nothing else of it', async () => {
        await storage.tokens.insert(token('t_1', { bytesPerDay: 1, expiresAt: 9_000 }))
        await storage.tokens.insert(token('t_2'))
        const limits = { maxDevices: 3, maxReservations: 4, maxCircuits: 5, circuitsPerMinute: 6, bytesPerDay: null, bytesPerSecond: 7 }
        const changed = token('t_1', { ...limits, expiresAt: 9_000 })
        expect(await storage.tokens.setLimits('t_1', { ...token('other'), ...limits })).toEqual(changed)
        expect(await storage.tokens.get('t_1')).toEqual(changed)
        expect(await storage.tokens.get('t_2')).toEqual(token('t_2'))
      })

      it('refuses an id or a hash that is taken', async () => {
        await storage.tokens.insert(token('t_1'))
        await expect(storage.tokens.insert(token('t_1', { hash: 'another' }))).rejects.toThrow()
        await expect(storage.tokens.insert(token('t_2', { hash: token('t_1').hash }))).rejects.toThrow()
        expect(await storage.tokens.list()).toHaveLength(1)
      })

      it('lists the oldest first', async () => {
        await storage.tokens.insert(token('t_young', { createdAt: 3_000 }))
        await storage.tokens.insert(token('t_old', { createdAt: 1_000 }))
        await storage.tokens.insert(token('t_also_old', { createdAt: 1_000 }))
        expect((await storage.tokens.list()).map(({ id }) => id)).toEqual(['t_old', 't_also_old', 't_young'])
      })

      it('keeps the time of the first revocation', async () => {
        await storage.tokens.insert(token('t_1'))
        expect(await storage.tokens.revoke('t_1', 5_000)).toEqual(token('t_1', { revokedAt: 5_000 }))
        expect((await storage.tokens.revoke('t_1', 6_000))?.revokedAt).toBe(5_000)
        expect((await storage.tokens.get('t_1'))?.revokedAt).toBe(5_000)
      })

      it('removes expired guests with their devices and usage, and nobody else', async () => {
        await storage.tokens.insert(token('t_gone', { guest: true, expiresAt: 4_999 }))
        await storage.tokens.insert(token('t_guest', { guest: true, expiresAt: 5_000 }))
        await storage.tokens.insert(token('t_kept', { expiresAt: 1 }))
        await storage.devices.enrol(device('alice', 't_gone'), null)
        await storage.devices.enrol(device('bob', 't_guest'), null)
        await storage.usage.add('t_gone', '2026-11-21', 10)
        expect(await storage.tokens.removeExpiredGuests(5_000)).toBe(1)
        expect((await storage.tokens.list()).map(({ id }) => id)).toEqual(['t_guest', 't_kept'])
        expect(await storage.devices.get('alice')).toBeUndefined()
        expect(await storage.devices.get('bob')).toBeDefined()
        expect(await storage.usage.get('t_gone', '2026-11-21')).toBe(0)
      })
    })

    describe('settings', () => {
      it('are given back as last set, and unknown ones not at all', async () => {
        expect(await storage.settings.get('limits')).toBeUndefined()
        await storage.settings.set('limits', '{"a":1}')
        await storage.settings.set('limits', '{"a":2}')
        await storage.settings.set('other', '')
        expect([await storage.settings.get('limits'), await storage.settings.get('other')]).toEqual(['{"a":2}', ''])
      })
    })

    describe('devices', () => {
      beforeEach(async () => {
        await storage.tokens.insert(token('t_1'))
        await storage.tokens.insert(token('t_2'))
      })

      it('enrols a new device and knows it again, keeping when it came', async () => {
        expect(await storage.devices.enrol(device('alice', 't_1'), 1)).toBe('enrolled')
        const later = device('alice', 't_1', { name: 'laptop', enrolledAt: 9_000, lastSeenAt: 9_000 })
        expect(await storage.devices.enrol(later, 1)).toBe('known')
        expect(await storage.devices.get('alice')).toEqual({ ...later, enrolledAt: 2_000 })
      })

      it('is full when the token has as many others as it may', async () => {
        expect(await storage.devices.enrol(device('alice', 't_1'), 2)).toBe('enrolled')
        expect(await storage.devices.enrol(device('bob', 't_1'), 2)).toBe('enrolled')
        expect(await storage.devices.enrol(device('charlie', 't_1'), 2)).toBe('full')
        expect(await storage.devices.get('charlie')).toBeUndefined()
        expect(await storage.devices.enrol(device('bob', 't_1'), 2)).toBe('known')
      })

      it('takes any number without a limit', async () => {
        for (let index = 0; index < 20; index++) expect(await storage.devices.enrol(device(`peer ${index}`, 't_1'), null)).toBe('enrolled')
      })

      it('moves a device to another token, unless that one is full', async () => {
        await storage.devices.enrol(device('alice', 't_1'), 1)
        await storage.devices.enrol(device('bob', 't_2'), 1)
        expect(await storage.devices.enrol(device('alice', 't_2'), 1)).toBe('full')
        expect((await storage.devices.get('alice'))?.tokenId).toBe('t_1')
        expect(await storage.devices.enrol(device('alice', 't_2'), 2)).toBe('enrolled')
        expect(await storage.devices.listByToken('t_1')).toEqual([])
        expect((await storage.devices.listByToken('t_2')).map(({ peer }) => peer)).toEqual(['bob', 'alice'])
      })

      it('counts rightly when devices enrol at once', async () => {
        const results = await Promise.all(['alice', 'bob', 'charlie'].map((peer) => storage.devices.enrol(device(peer, 't_1'), 2)))
        expect(results.toSorted()).toEqual(['enrolled', 'enrolled', 'full'])
      })

      it('makes room when a device is removed', async () => {
        await storage.devices.enrol(device('alice', 't_1'), 1)
        await storage.devices.remove('alice')
        await storage.devices.remove('alice')
        expect(await storage.devices.enrol(device('bob', 't_1'), 1)).toBe('enrolled')
      })

      it('refuses a device of a token that does not exist', async () => {
        await expect(storage.devices.enrol(device('alice', 't_none'), null)).rejects.toThrow()
      })

      it('lists the oldest first', async () => {
        await storage.devices.enrol(device('bob', 't_1', { enrolledAt: 3_000 }), null)
        await storage.devices.enrol(device('alice', 't_1', { enrolledAt: 2_000 }), null)
        expect((await storage.devices.listByToken('t_1')).map(({ peer }) => peer)).toEqual(['alice', 'bob'])
      })
    })

    describe('usage', () => {
      beforeEach(() => storage.tokens.insert(token('t_1')))

      it('adds up per token and day', async () => {
        expect(await storage.usage.get('t_1', '2026-11-21')).toBe(0)
        expect(await storage.usage.add('t_1', '2026-11-21', 4e12)).toBe(4e12)
        expect(await storage.usage.add('t_1', '2026-11-21', 1)).toBe(4e12 + 1)
        expect(await storage.usage.add('t_1', '2026-11-22', 7)).toBe(7)
        expect(await storage.usage.get('t_1', '2026-11-21')).toBe(4e12 + 1)
      })

      it('counts nothing for a token that does not exist', async () => {
        expect(await storage.usage.add('t_none', '2026-11-21', 5)).toBe(0)
        expect(await storage.usage.get('t_none', '2026-11-21')).toBe(0)
      })

      it('forgets the days before a day', async () => {
        await storage.usage.add('t_1', '2026-11-20', 1)
        await storage.usage.add('t_1', '2026-11-21', 2)
        await storage.usage.removeBefore('2026-11-21')
        expect(await storage.usage.get('t_1', '2026-11-20')).toBe(0)
        expect(await storage.usage.get('t_1', '2026-11-21')).toBe(2)
      })
    })

    it('closes twice without complaint', async () => {
      await storage.close()
      await storage.close()
    })
  })
}
