/**
 * Storage in one SQLite file: the default of a bridge. `node:sqlite` is synchronous, so every statement here is short and uses an index.
 * Not here: the schema (migrations.ts) and what the methods promise (../ports.ts).
 */
import { closeSync, openSync } from 'node:fs'
import { DatabaseSync, type SQLOutputValue } from 'node:sqlite'
import type { DeviceRecord, EnrolResult, Storage, TokenRecord } from '../ports.ts'
import { migrate } from './migrations.ts'

/** A command line may hold the write lock for a moment; a statement takes microseconds, so five seconds mean a real fault. */
const BUSY_TIMEOUT_MS = 5_000

type Row = Record<string, SQLOutputValue>

/**
 * Opens the store and makes it (mode 0600; SQLite gives its side files the same mode) when there is none.
 * @throws when the file cannot be opened, is not a store, or was written by a newer Footbridge.
 */
export function openSqliteStorage(path: string): Storage {
  if (path !== ':memory:') closeSync(openSync(path, 'a', 0o600))
  const database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true })
  try {
    // NORMAL loses no commit when the process dies, only the last ones when the machine does; a FULL sync per login buys little.
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL')
    migrate(database, Date.now())
  } catch (error) {
    database.close()
    throw error
  }
  return createAdapter(database)
}

function createAdapter(database: DatabaseSync): Storage {
  const insertToken = database.prepare(
    `INSERT INTO tokens (id, hash, label, created_at, expires_at, guest, revoked_at,
       max_devices, max_reservations, max_circuits, circuits_per_minute, bytes_per_day, bytes_per_second)
     VALUES (:id, :hash, :label, :createdAt, :expiresAt, :guest, :revokedAt,
       :maxDevices, :maxReservations, :maxCircuits, :circuitsPerMinute, :bytesPerDay, :bytesPerSecond)`,
  )
  const tokenById = database.prepare('SELECT * FROM tokens WHERE id = ?')
  const tokenByHash = database.prepare('SELECT * FROM tokens WHERE hash = ?')
  const allTokens = database.prepare('SELECT * FROM tokens ORDER BY created_at, rowid')
  const revokeToken = database.prepare('UPDATE tokens SET revoked_at = coalesce(revoked_at, :at) WHERE id = :id RETURNING *')
  const limitToken = database.prepare(
    `UPDATE tokens SET max_devices = :maxDevices, max_reservations = :maxReservations, max_circuits = :maxCircuits,
       circuits_per_minute = :circuitsPerMinute, bytes_per_day = :bytesPerDay, bytes_per_second = :bytesPerSecond
     WHERE id = :id RETURNING *`,
  )
  const removeGuests = database.prepare('DELETE FROM tokens WHERE guest = 1 AND expires_at < ?')

  const deviceByPeer = database.prepare('SELECT * FROM devices WHERE peer = ?')
  const devicesByToken = database.prepare('SELECT * FROM devices WHERE token_id = ? ORDER BY enrolled_at, rowid')
  const countDevices = database.prepare('SELECT count(*) AS count FROM devices WHERE token_id = ?')
  const touchDevice = database.prepare('UPDATE devices SET name = :name, last_seen_at = :lastSeenAt WHERE peer = :peer')
  const insertDevice = database.prepare(
    `INSERT OR REPLACE INTO devices (peer, token_id, name, enrolled_at, last_seen_at)
     VALUES (:peer, :tokenId, :name, :enrolledAt, :lastSeenAt)`,
  )
  const removeDevice = database.prepare('DELETE FROM devices WHERE peer = ?')

  const addUsage = database.prepare(
    `INSERT INTO usage (token_id, day, bytes) SELECT id, :day, :bytes FROM tokens WHERE id = :tokenId
     ON CONFLICT (token_id, day) DO UPDATE SET bytes = bytes + excluded.bytes RETURNING bytes`,
  )
  const usageOfDay = database.prepare('SELECT bytes FROM usage WHERE token_id = ? AND day = ?')
  const removeUsage = database.prepare('DELETE FROM usage WHERE day < ?')

  const setting = database.prepare('SELECT value FROM settings WHERE name = ?')
  const setSetting = database.prepare('INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)')

  const inTransaction = <Result>(work: () => Result): Result => {
    database.exec('BEGIN IMMEDIATE')
    try {
      const result = work()
      database.exec('COMMIT')
      return result
    } catch (error) {
      database.exec('ROLLBACK')
      throw error
    }
  }

  const enrol = (device: DeviceRecord, maxDevices: number | null): EnrolResult => {
    const present = deviceByPeer.get(device.peer)
    if (present?.['token_id'] === device.tokenId) {
      touchDevice.run({ peer: device.peer, name: device.name, lastSeenAt: device.lastSeenAt })
      return 'known'
    }
    const enrolled = Number(countDevices.get(device.tokenId)?.['count'] ?? 0)
    if (maxDevices !== null && enrolled >= maxDevices) return 'full'
    insertDevice.run({ ...device })
    return 'enrolled'
  }

  return {
    tokens: {
      insert: async (token) => void insertToken.run({ ...token, guest: token.guest ? 1 : 0 }),
      get: async (id) => optional(tokenById.get(id), toToken),
      findByHash: async (hash) => optional(tokenByHash.get(hash), toToken),
      list: async () => allTokens.all().map(toToken),
      revoke: async (id, at) => optional(revokeToken.get({ id, at }), toToken),
      setLimits: async (id, limits) => {
        const { maxDevices, maxReservations, maxCircuits, circuitsPerMinute, bytesPerDay, bytesPerSecond } = limits
        const row = limitToken.get({ id, maxDevices, maxReservations, maxCircuits, circuitsPerMinute, bytesPerDay, bytesPerSecond })
        return optional(row, toToken)
      },
      removeExpiredGuests: async (before) => Number(removeGuests.run(before).changes),
    },
    devices: {
      enrol: async (device, maxDevices) => inTransaction(() => enrol(device, maxDevices)),
      get: async (peer) => optional(deviceByPeer.get(peer), toDevice),
      listByToken: async (tokenId) => devicesByToken.all(tokenId).map(toDevice),
      remove: async (peer) => void removeDevice.run(peer),
    },
    usage: {
      add: async (tokenId, day, bytes) => Number(addUsage.get({ tokenId, day, bytes })?.['bytes'] ?? 0),
      get: async (tokenId, day) => Number(usageOfDay.get(tokenId, day)?.['bytes'] ?? 0),
      removeBefore: async (day) => void removeUsage.run(day),
    },
    settings: {
      get: async (name) => optional(setting.get(name), (row) => String(row['value'])),
      set: async (name, value) => void setSetting.run(name, value),
    },
    close: async () => {
      if (database.isOpen) database.close()
    },
  }
}

const optional = <Value>(row: Row | undefined, convert: (row: Row) => Value): Value | undefined =>
  row === undefined ? undefined : convert(row)

const nullable = (value: unknown): number | null => (value === null || value === undefined ? null : Number(value))

function toToken(row: Row): TokenRecord {
  return {
    id: String(row['id']),
    hash: String(row['hash']),
    label: String(row['label']),
    createdAt: Number(row['created_at']),
    expiresAt: nullable(row['expires_at']),
    maxDevices: nullable(row['max_devices']),
    maxReservations: nullable(row['max_reservations']),
    maxCircuits: nullable(row['max_circuits']),
    circuitsPerMinute: nullable(row['circuits_per_minute']),
    bytesPerDay: nullable(row['bytes_per_day']),
    bytesPerSecond: nullable(row['bytes_per_second']),
    guest: row['guest'] === 1,
    revokedAt: nullable(row['revoked_at']),
  }
}

function toDevice(row: Row): DeviceRecord {
  return {
    peer: String(row['peer']),
    tokenId: String(row['token_id']),
    name: String(row['name']),
    enrolledAt: Number(row['enrolled_at']),
    lastSeenAt: Number(row['last_seen_at']),
  }
}
