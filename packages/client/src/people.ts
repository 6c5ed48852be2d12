/**
 * Everybody this device knows of: kept peers, the bridge's live list, open connections and paths, folded into one list for the app.
 * Not here: how any of these facts come about; each source tells this module, and the list follows.
 */
import type { PresenceRow } from '@footbridge/shared/wire/presence-frame'
import type { Message, Path, Peer, Readable } from './api.ts'
import { writable } from './observable.ts'
import type { PeerRecord } from './store/database.ts'
import type { MessageStore } from './store/messages.ts'
import type { PeerStore } from './store/peers.ts'

const NO_PATH: Path = { kind: 'none' }

interface Facts {
  record: PeerRecord
  /** In IndexedDB: somebody with whom there is a conversation, or who was dialled. */
  kept: boolean
  presence: PresenceRow | undefined
  connectedSince: number | undefined
  path: Path
  lastMessage: Message | undefined
}

export interface People {
  readonly list: Readable<readonly Peer[]>
  get(id: string): Peer | undefined
  /** The name, or the end of the PeerID where there is none: for log lines. */
  nameOf(id: string): string
  /** Reads what is kept; also again, when another tab has changed it. */
  load(): Promise<void>
  presence(rows: readonly PresenceRow[], reset: boolean): void
  gone(ids: readonly string[]): void
  /** Whether there is an open connection of any kind. */
  connected(id: string, is: boolean): void
  path(id: string, path: Path): void
  profile(id: string, name: string, picture: string | undefined): Promise<void>
  /** Keeps the peer from now on. */
  keep(id: string): Promise<void>
  messageChanged(message: Message, unread: boolean): Promise<void>
  markRead(id: string): Promise<void>
  remove(id: string): Promise<void>
  clear(): void
  /** Shows what another tab sees instead of our own facts; undefined: our own again. */
  mirror(change: { readonly whole: boolean; readonly changed: readonly Peer[]; readonly gone: readonly string[] } | undefined): void
}

export function createPeople(store: PeerStore, messages: MessageStore, now: () => number): People {
  const facts = new Map<string, Facts>()
  const list = writable<readonly Peer[]>([])
  let isDirty = false
  let mirrored: Map<string, Peer> | undefined

  const publish = (): void => {
    isDirty = false
    const peers = mirrored === undefined ? [...facts.values()].map(toPeer) : [...mirrored.values()]
    list.set(peers.sort(byPresenceThenActivity))
  }
  // One update for a burst of facts: a full presence list comes in hundreds of rows.
  const changed = (): void => {
    if (isDirty) return
    isDirty = true
    queueMicrotask(publish)
  }

  const of = (id: string): Facts => {
    const known = facts.get(id)
    if (known) return known
    const record: PeerRecord = { id, name: '', picture: undefined, device: 'native', lastSeenAt: now(), unread: 0 }
    const fresh: Facts = { record, kept: false, presence: undefined, connectedSince: undefined, path: NO_PATH, lastMessage: undefined }
    facts.set(id, fresh)
    return fresh
  }

  const update = async (peer: Facts, change: Partial<PeerRecord>): Promise<void> => {
    peer.record = { ...peer.record, ...change }
    changed()
    if (peer.kept) await store.put(peer.record)
  }

  /** A stranger who left, and with whom nothing was said, is forgotten. */
  const dropIfIdle = (peer: Facts): void => {
    if (!peer.kept && peer.presence === undefined && peer.connectedSince === undefined) facts.delete(peer.record.id)
  }

  const left = (peer: Facts): void => {
    peer.presence = undefined
    update(peer, { lastSeenAt: now() }).catch(() => undefined)
    dropIfIdle(peer)
  }

  const people: People = {
    list,
    get: (id) => {
      const peer = facts.get(id)
      return peer && toPeer(peer)
    },
    nameOf: (id) => {
      const peer = facts.get(id)
      return (peer && nameOf(peer)) || `…${id.slice(-6)}`
    },
    async load() {
      for (const record of await store.list()) {
        const peer = of(record.id)
        peer.record = record
        peer.kept = true
        peer.lastMessage = await messages.last(record.id)
      }
      publish()
    },
    presence(rows, reset) {
      if (reset) {
        const here = new Set(rows.map((row) => row.peer))
        for (const peer of facts.values()) if (peer.presence !== undefined && !here.has(peer.record.id)) left(peer)
      }
      for (const row of rows) {
        const peer = of(row.peer)
        peer.presence = row
        const name = row.name === '' ? peer.record.name : row.name
        update(peer, { device: row.device, name, lastSeenAt: now() }).catch(() => undefined)
      }
      changed()
    },
    gone(ids) {
      for (const id of ids) {
        const peer = facts.get(id)
        if (peer) left(peer)
      }
      changed()
    },
    connected(id, is) {
      const peer = is ? of(id) : facts.get(id)
      if (peer === undefined) return
      peer.connectedSince = is ? (peer.connectedSince ?? now()) : undefined
      if (!is) {
        peer.path = NO_PATH
        update(peer, { lastSeenAt: now() }).catch(() => undefined)
        dropIfIdle(peer)
      }
      changed()
    },
    path(id, path) {
      const peer = facts.get(id)
      if (peer === undefined) return
      peer.path = path
      changed()
    },
    async profile(id, name, picture) {
      await update(of(id), { name: name === '' ? of(id).record.name : name, picture })
    },
    async keep(id) {
      const peer = of(id)
      peer.kept = true
      await update(peer, {})
    },
    async messageChanged(message, unread) {
      const peer = of(message.peer)
      const last = peer.lastMessage
      if (last === undefined || last.id === message.id || message.at >= last.at) peer.lastMessage = message
      peer.kept = true
      await update(peer, unread ? { unread: peer.record.unread + 1 } : {})
    },
    async markRead(id) {
      const peer = facts.get(id)
      if (peer && peer.record.unread > 0) await update(peer, { unread: 0 })
    },
    async remove(id) {
      const peer = facts.get(id)
      if (peer === undefined) return
      peer.kept = false
      peer.lastMessage = undefined
      peer.record = { ...peer.record, unread: 0 }
      await store.remove(id)
      dropIfIdle(peer)
      changed()
    },
    clear() {
      facts.clear()
      changed()
    },
    mirror(change) {
      if (change === undefined) mirrored = undefined
      else {
        if (change.whole || mirrored === undefined) mirrored = new Map()
        for (const peer of change.changed) mirrored.set(peer.id, peer)
        for (const id of change.gone) mirrored.delete(id)
      }
      changed()
    },
  }
  return people
}

function nameOf(peer: Facts): string {
  return peer.presence?.name || peer.record.name
}

function toPeer(peer: Facts): Peer {
  const { record, presence, connectedSince } = peer
  const online = presence !== undefined || connectedSince !== undefined
  return {
    id: record.id,
    name: nameOf(peer),
    picture: record.picture,
    device: presence?.device ?? record.device,
    online,
    since: online ? (presence?.since ?? connectedSince ?? record.lastSeenAt) : record.lastSeenAt,
    path: peer.path,
    unread: record.unread,
    lastMessage: peer.lastMessage,
  }
}

function byPresenceThenActivity(a: Peer, b: Peer): number {
  if (a.online !== b.online) return a.online ? -1 : 1
  return (b.lastMessage?.at ?? b.since) - (a.lastMessage?.at ?? a.since) || a.id.localeCompare(b.id)
}
