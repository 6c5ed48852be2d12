/**
 * Rooms as the app sees them: public, on gossipsub, kept on this device. Whoever subscribes to a room's topic hears it and may speak; nothing is sealed,
 * and nobody keeps what was said for those who were away. The first room and its files speak universal-connectivity's protocols; every other room speaks
 * the same under its own name.
 * Next: rooms.ts (what is kept), live.ts (what needs the network, loaded with the first room).
 */
import type { FileOffer, Readable } from '../api.ts'

/** Topics of the first room. The app's other settings of rooms are their names. */
export interface RoomTopics {
  readonly chat: string
  readonly files: string
  /** Where peers tell their addresses. */
  readonly discovery: string
}

/** Somebody of whom this device knows that they are in a room: gossip tells only of neighbours, and of those who speak. */
export interface RoomMember {
  readonly peer: string
  /** When they last spoke or were seen, by this device's clock. */
  readonly seenAt: number
}

export interface Room {
  /** Also its topic. */
  readonly name: string
  readonly joinedAt: number
  /** `alone`: joined, and nobody is there to hear from, not even the bridge. `away`: no network. */
  readonly state: 'here' | 'alone' | 'away'
  /** Seen last first; without this device and its bridge. */
  readonly members: readonly RoomMember[]
  readonly unread: number
  readonly lastMessage: RoomMessage | undefined
}

export interface RoomFile {
  /** Under which its sender gives it. */
  readonly id: string
  /** Of its transfer: `blobs.transfer(transfer)` tells how far it is. */
  readonly transfer: string
  /** Once it is on this device. */
  readonly offer: FileOffer | undefined
}

export type RoomBody =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'file'; readonly file: RoomFile }
  /** This device did not hear the room from `at` until then; what was said is not here. */
  | { readonly kind: 'gap'; readonly until: number }

export interface RoomMessage {
  readonly id: string
  readonly room: string
  /** PeerID of the signature; '' for a gap and for what was written before there was an identity. */
  readonly from: string
  readonly own: boolean
  /** When it was written or came, by this device's clock: gossip carries no time. */
  readonly at: number
  readonly body: RoomBody
  /** `waiting`: nobody was there to take it. `sent`: given to at least one neighbour; gossip knows no more. */
  readonly status: 'waiting' | 'sent'
}

export interface Rooms {
  /** Joined rooms, the one with the newest message first. */
  readonly list: Readable<readonly Room[]>
  readonly topics: Readable<RoomTopics>
  /** Oldest first, at most MAX_ROOM_HISTORY; live. */
  in(room: string): Readable<readonly RoomMessage[]>
  /** @returns the room's name as it was taken. @throws FootbridgeError `bad_request`, `rate_limited` above MAX_ROOMS */
  join(name: string): Promise<string>
  /** Takes the room and what was said in it off this device. */
  leave(room: string): Promise<void>
  /** @throws FootbridgeError `bad_request`, `too_large`, `rate_limited`, `not_found` */
  sendText(room: string, text: string): Promise<void>
  /** @throws FootbridgeError `too_large` above what every peer can take, `rate_limited`, `not_found`, `storage_full` */
  sendFile(room: string, file: File): Promise<void>
  /** Fetches a file from whoever offered it; `blobs.transfer` tells how it goes. Nothing happens while it is under way. */
  fetchFile(room: string, messageId: string): Promise<void>
  markRead(room: string): Promise<void>
  /** Takes what was said off this device. */
  clear(room: string): Promise<void>
  /** @throws FootbridgeError `bad_request` */
  setTopics(topics: RoomTopics): Promise<void>
}
