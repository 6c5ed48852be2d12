/**
 * Storage in memory: for tests, and as the plainest reading of the ports. Nothing survives the process.
 * Not for a bridge that people use; that is sqlite/. Both run contract/storage-contract.ts.
 */
import type { DeviceRecord, Storage, TokenRecord } from '../ports.ts'

export function createMemoryStorage(): Storage {
  const tokens = new Map<string, TokenRecord>()
  const devices = new Map<string, DeviceRecord>()
  const usage = new Map<string, Map<string, number>>()
  const settings = new Map<string, string>()

  const devicesOf = (tokenId: string): DeviceRecord[] => [...devices.values()].filter((device) => device.tokenId === tokenId)

  const removeToken = (id: string): void => {
    tokens.delete(id)
    usage.delete(id)
    for (const device of devicesOf(id)) devices.delete(device.peer)
  }

  return {
    tokens: {
      async insert(token) {
        const taken = tokens.has(token.id) || [...tokens.values()].some(({ hash }) => hash === token.hash)
        if (taken) throw new Error(`a token with the id ${token.id} or the same hash exists`)
        tokens.set(token.id, token)
      },
      async get(id) {
        return tokens.get(id)
      },
      async findByHash(hash) {
        return [...tokens.values()].find((token) => token.hash === hash)
      },
      async list() {
        return [...tokens.values()].toSorted((a, b) => a.createdAt - b.createdAt)
      },
      async revoke(id, at) {
        const token = tokens.get(id)
        if (token === undefined) return undefined
        const revoked = { ...token, revokedAt: token.revokedAt ?? at }
        tokens.set(id, revoked)
        return revoked
      },
      async setLimits(id, limits) {
        const token = tokens.get(id)
        if (token === undefined) return undefined
        const { maxDevices, maxReservations, maxCircuits, circuitsPerMinute, bytesPerDay, bytesPerSecond } = limits
        const limited = { ...token, maxDevices, maxReservations, maxCircuits, circuitsPerMinute, bytesPerDay, bytesPerSecond }
        tokens.set(id, limited)
        return limited
      },
      async removeExpiredGuests(before) {
        const expired = [...tokens.values()].filter((token) => token.guest && token.expiresAt !== null && token.expiresAt < before)
        for (const token of expired) removeToken(token.id)
        return expired.length
      },
    },
    devices: {
      async enrol(device, maxDevices) {
        if (!tokens.has(device.tokenId)) throw new Error(`no token ${device.tokenId}`)
        const present = devices.get(device.peer)
        if (present?.tokenId === device.tokenId) {
          devices.set(device.peer, { ...present, name: device.name, lastSeenAt: device.lastSeenAt })
          return 'known'
        }
        if (maxDevices !== null && devicesOf(device.tokenId).length >= maxDevices) return 'full'
        devices.delete(device.peer)
        devices.set(device.peer, device)
        return 'enrolled'
      },
      async get(peer) {
        return devices.get(peer)
      },
      async listByToken(tokenId) {
        return devicesOf(tokenId).toSorted((a, b) => a.enrolledAt - b.enrolledAt)
      },
      async remove(peer) {
        devices.delete(peer)
      },
    },
    usage: {
      async add(tokenId, day, bytes) {
        if (!tokens.has(tokenId)) return 0
        const days = usage.get(tokenId) ?? new Map<string, number>()
        const total = (days.get(day) ?? 0) + bytes
        usage.set(tokenId, days.set(day, total))
        return total
      },
      async get(tokenId, day) {
        return usage.get(tokenId)?.get(day) ?? 0
      },
      async removeBefore(day) {
        for (const days of usage.values()) for (const key of days.keys()) if (key < day) days.delete(key)
      },
    },
    settings: {
      async get(name) {
        return settings.get(name)
      },
      async set(name, value) {
        settings.set(name, value)
      },
    },
    async close() {},
  }
}
