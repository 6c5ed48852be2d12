/**
 * What this browser keeps, in one IndexedDB database: the schema and its versions, nothing else.
 * The private key stands here in clear: WebCrypto's non-extractable keys cannot be used, because libp2p signs the Noise handshake with the raw Ed25519
 * key. Whoever can run script on this origin, or read the browser's profile, has it; exported files are encrypted (identity-export.ts).
 * Next: the files beside this one, one for each kind of record.
 */
import { openDB, type DBSchema, type IDBPDatabase } from 'idb'
import { FootbridgeError } from '@footbridge/shared/errors'
import type { SessionAnswer } from '@footbridge/shared/login'
import type { FirstHop, Message, Profile } from '../api.ts'
import type { RoomMessage, RoomTopics } from '../rooms/room.ts'

/** Raised with each change of the schema; `upgrade` below takes every older one forward. */
const VERSION = 3

export interface IdentityRecord {
  readonly peer: string
  /** libp2p protobuf of the Ed25519 private key. */
  readonly privateKey: Uint8Array
  readonly createdAt: number
}

/** This device at one bridge. The bridge token is not kept: an enrolled device needs none. */
export interface EnrolmentRecord {
  readonly bridgeUrl: string
  readonly bridge: { readonly peer: string; readonly name: string; readonly version: string }
  readonly peer: string
  readonly loggedOut: boolean
  readonly session: SessionAnswer
}

export interface PeerRecord {
  readonly id: string
  readonly name: string
  readonly picture: string | undefined
  readonly device: 'browser' | 'phone' | 'native'
  readonly lastSeenAt: number
  readonly unread: number
}

/** `pending` is 1 while an outgoing message has no answer: IndexedDB indexes cannot hold booleans. */
export interface MessageRecord extends Message {
  readonly pending?: 1
  /** Order of arrival in this database: two messages of one millisecond keep their order. */
  readonly order: number
}

export interface Leaf {
  readonly cid: string
  readonly size: number
}

export interface BlobRecord {
  readonly cid: string
  readonly name: string
  readonly size: number
  readonly media: string
  readonly state: 'fetching' | 'paused' | 'complete'
  /** The blocks that hold the file's bytes, in order; empty until the whole DAG is known. The DAG's inner nodes stand in `nodes`. */
  readonly leaves: readonly Leaf[]
  readonly nodes: readonly string[]
  /** Peers that offered it, and peers that sent a wrong block. */
  readonly sources: readonly string[]
  readonly refusedSources: readonly string[]
  readonly addedAt: number
}

export interface UpgradeFailureRecord {
  /** `<network> <peer>`. */
  readonly key: string
  readonly failures: number
  readonly retryAt: number
  readonly reason: string
}

export interface WinnerRecord {
  /** `<network> <bridge>`. */
  readonly key: string
  readonly kind: FirstHop['kind']
  readonly at: number
}

export interface RoomRecord {
  readonly name: string
  readonly joinedAt: number
  readonly unread: number
  /** Until when this device heard what was said; undefined before it heard anything. */
  readonly heardUntil: number | undefined
}

/** `order` of arrival in its room: two messages of one millisecond keep their order. */
export interface RoomMessageRecord extends RoomMessage {
  readonly order: number
}

export interface Schema extends DBSchema {
  self: { key: 'identity' | 'profile' | 'lastBridge' | 'visibility' | 'roomTopics'; value: IdentityRecord | Profile | RoomTopics | string }
  enrolments: { key: string; value: EnrolmentRecord }
  peers: { key: string; value: PeerRecord }
  messages: {
    key: [string, string]
    value: MessageRecord
    indexes: { byTime: [string, number, number]; pending: [string, number] }
  }
  blobs: { key: string; value: BlobRecord }
  /** By CID. Blobs where the browser keeps them: twice as fast to write as byte arrays, and a file is opened without reading them. */
  blocks: { key: string; value: Blob | Uint8Array }
  upgrades: { key: string; value: UpgradeFailureRecord }
  winners: { key: string; value: WinnerRecord }
  rooms: { key: string; value: RoomRecord }
  roomMessages: { key: [string, string]; value: RoomMessageRecord; indexes: { byTime: [string, number, number] } }
}

export type Database = IDBPDatabase<Schema>

/** @param onGone called when another tab needs this one to let go, or the browser closed the database. */
export async function openDatabase(name: string, onGone: () => void): Promise<Database> {
  return openDB<Schema>(name, VERSION, {
    upgrade(database, before) {
      if (before < 1) {
        database.createObjectStore('self')
        database.createObjectStore('enrolments', { keyPath: 'bridgeUrl' })
        database.createObjectStore('peers', { keyPath: 'id' })
        const messages = database.createObjectStore('messages', { keyPath: ['peer', 'id'] })
        messages.createIndex('byTime', ['peer', 'at', 'order'])
        messages.createIndex('pending', ['peer', 'pending'])
        database.createObjectStore('blobs', { keyPath: 'cid' })
        database.createObjectStore('blocks')
        database.createObjectStore('upgrades', { keyPath: 'key' })
      }
      if (before < 2) database.createObjectStore('winners', { keyPath: 'key' })
      if (before < 3) {
        database.createObjectStore('rooms', { keyPath: 'name' })
        database.createObjectStore('roomMessages', { keyPath: ['room', 'id'] }).createIndex('byTime', ['room', 'at', 'order'])
      }
    },
    blocking: (_current, _blocked, event) => {
      if (event.target instanceof IDBDatabase) event.target.close()
      onGone()
    },
    terminated: onGone,
  })
}

/** Runs a write and gives quota errors their code. @throws FootbridgeError `storage_full` */
export async function storing<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (cause) {
    if (isFull(cause)) throw new FootbridgeError('storage_full', 'the browser has no room left for this', { cause })
    throw cause
  }
}

/** Whether a write failed for want of room. */
export function isFull(cause: unknown): boolean {
  const name = cause instanceof Error || cause instanceof DOMException ? cause.name : ''
  return name === 'QuotaExceededError' || (name === 'AbortError' && isQuota(cause))
}

/** Chromium reports a full disk as an aborted transaction whose message names the quota. */
function isQuota(cause: unknown): boolean {
  return cause instanceof DOMException && /quota|disk|space/i.test(cause.message)
}
