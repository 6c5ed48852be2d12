/**
 * The SQLite schema as an ordered list of steps; a store's version is how many of them it has had. Steps are only ever added at the end.
 * Not here: the statements that use the tables (sqlite-storage.ts).
 */
import type { DatabaseSync } from 'node:sqlite'

const MIGRATIONS: readonly string[] = [
  // 1, 2026-11-21: tokens, the devices they enrolled, and what they relayed per UTC day. Times are milliseconds since the epoch.
  `CREATE TABLE tokens (
     id TEXT PRIMARY KEY,
     hash TEXT NOT NULL UNIQUE,
     label TEXT NOT NULL,
     created_at INTEGER NOT NULL,
     expires_at INTEGER,
     max_devices INTEGER,
     bytes_per_day INTEGER,
     bytes_per_second INTEGER,
     guest INTEGER NOT NULL CHECK (guest IN (0, 1)),
     revoked_at INTEGER
   ) STRICT;
   CREATE TABLE devices (
     peer TEXT PRIMARY KEY,
     token_id TEXT NOT NULL REFERENCES tokens (id) ON DELETE CASCADE,
     name TEXT NOT NULL,
     enrolled_at INTEGER NOT NULL,
     last_seen_at INTEGER NOT NULL
   ) STRICT;
   CREATE INDEX devices_by_token ON devices (token_id, enrolled_at);
   CREATE TABLE usage (
     token_id TEXT NOT NULL REFERENCES tokens (id) ON DELETE CASCADE,
     day TEXT NOT NULL,
     bytes INTEGER NOT NULL,
     PRIMARY KEY (token_id, day)
   ) STRICT, WITHOUT ROWID;`,
  // 2, 2026-11-23: what a token's circuits and reservations may be, and what the operator set while the bridge ran.
  `ALTER TABLE tokens ADD COLUMN max_reservations INTEGER;
   ALTER TABLE tokens ADD COLUMN max_circuits INTEGER;
   ALTER TABLE tokens ADD COLUMN circuits_per_minute INTEGER;
   CREATE TABLE settings (
     name TEXT PRIMARY KEY,
     value TEXT NOT NULL
   ) STRICT, WITHOUT ROWID;`,
]

/** Brings the store to the newest schema, all steps or none. @throws when a newer Footbridge has written it. */
export function migrate(database: DatabaseSync, now: number): void {
  database.exec('BEGIN IMMEDIATE')
  try {
    database.exec('CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL) STRICT')
    const row = database.prepare('SELECT max(version) AS version FROM schema_version').get()
    const version = Number(row?.['version'] ?? 0)
    if (version > MIGRATIONS.length)
      throw new Error(`the store has schema version ${version}, this Footbridge knows ${MIGRATIONS.length}: use the newer Footbridge`)
    const record = database.prepare('INSERT INTO schema_version (version, applied_at) VALUES (?, ?)')
    for (const [index, sql] of MIGRATIONS.entries()) {
      if (index < version) continue
      database.exec(sql)
      record.run(index + 1, now)
    }
    database.exec('COMMIT')
  } catch (error) {
    database.exec('ROLLBACK')
    throw error
  }
}
