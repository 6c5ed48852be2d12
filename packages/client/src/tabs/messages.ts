/**
 * What the tabs of one browser say to each other over a BroadcastChannel. All of them run the same origin's code, if not always the same version of it:
 * what a tab does not know it leaves alone.
 *
 *     follower                               leader
 *       │ ask {fresh}    ─────────────────────►│   every two seconds; fresh: tell me everything
 *       │◄───────────── mirror {whole}         │   to all, once for each fresh ask
 *       │◄───────────── here                   │   otherwise
 *       │◄───────────── mirror {changes}       │   at most ten a second while somebody follows
 *       │ call {id, act, args} ───────────────►│
 *       │◄───────────── reply {to, id, …}      │
 *       │◄─ peer, send, self, blobs, room ────►│   something was written to the store
 */
import type { ErrorCode } from '@footbridge/shared/errors'
import type { Visibility } from '@footbridge/shared/wire/announce-frame'
import type { BridgeNotices, ConnectionState, Findable, FileOffer, LogEntry, Peer, Transfer } from '../api.ts'
import type { Credential } from '../network.ts'
import type { Room, Rooms } from '../rooms/room.ts'

/** `peer`: a conversation. `self`: identity, login or profile. `send`: a message waits for the tab that leads. `blobs`: a file came or went. `room`: what was said in one. */
export type TabChange =
  | { readonly kind: 'peer' | 'send'; readonly peer: string }
  | { readonly kind: 'self' | 'blobs' }
  | { readonly kind: 'room'; readonly room: string }

/** What the leader shows; a change carries only what is new. */
export interface Mirror {
  readonly connection?: ConnectionState
  readonly notices?: BridgeNotices
  readonly findable?: Findable
  readonly log?: readonly LogEntry[]
  readonly addresses?: readonly string[]
  readonly bridgeUrl?: string
  /** `whole`: `changed` is everybody. */
  readonly peers?: { readonly whole: boolean; readonly changed: readonly Peer[]; readonly gone: readonly string[] }
  readonly transfers?: readonly Transfer[]
  readonly rooms?: readonly Room[]
}

/** What a tab that follows may ask the leader to do: name, arguments, answer. */
export interface Acts {
  login(credential: Credential): Promise<void>
  logout(): Promise<void>
  setVisibility(visibility: Visibility): Promise<void>
  dial(target: string): Promise<string>
  retryNow(): Promise<void>
  upgrade(peer: string): Promise<void>
  fetch(offer: FileOffer, sources: readonly string[]): Promise<void>
  pause(cid: string): Promise<void>
  removeBlob(cid: string): Promise<void>
  importIdentity(exported: string, passphrase: string): Promise<void>
  forget(): Promise<void>
  joinRoom: Rooms['join']
  leaveRoom: Rooms['leave']
  sayInRoom: Rooms['sendText']
  offerInRoom: Rooms['sendFile']
  fetchInRoom: Rooms['fetchFile']
  readRoom: Rooms['markRead']
  clearRoom: Rooms['clear']
  setRoomTopics: Rooms['setTopics']
}
export type ActName = keyof Acts

export type Reply =
  | { readonly kind: 'reply'; readonly to: string; readonly id: number; readonly value: unknown }
  | { readonly kind: 'reply'; readonly to: string; readonly id: number; readonly code: ErrorCode; readonly message: string }

export type TabMessage =
  | TabChange
  | { readonly kind: 'ask'; readonly from: string; readonly fresh: boolean }
  | { readonly kind: 'here' }
  | { readonly kind: 'mirror'; readonly mirror: Mirror }
  | { readonly kind: 'call'; readonly from: string; readonly id: number; readonly act: ActName; readonly args: readonly unknown[] }
  | Reply
