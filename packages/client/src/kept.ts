/**
 * What is there without any network: the stores and the views over them. Made by opening/keep.ts, used by both halves of the SDK.
 */
import type { ConnectionState, Findable, Profile } from './api.ts'
import type { Transfers } from './blobs/transfers.ts'
import type { KeptConversations } from './conversations.ts'
import type { Log } from './log.ts'
import type { Notices } from './notices.ts'
import type { Writable } from './observable.ts'
import type { People } from './people.ts'
import type { KeptRooms } from './rooms/rooms.ts'
import type { BlobStore } from './store/blobs.ts'
import type { MessageStore } from './store/messages.ts'
import type { SelfStore } from './store/self.ts'
import type { UpgradeStore } from './store/upgrades.ts'
import type { WinnerStore } from './store/winners.ts'
import type { TabChange } from './tabs/messages.ts'

export interface Kept {
  readonly self: SelfStore
  readonly messages: MessageStore
  readonly blobs: BlobStore
  readonly upgrades: UpgradeStore
  readonly winners: WinnerStore
  readonly people: People
  readonly conversations: KeptConversations
  readonly transfers: Transfers
  readonly rooms: KeptRooms
  readonly profile: Writable<Profile>
  readonly findable: Writable<Findable>
  readonly connection: Writable<ConnectionState>
  readonly notices: Notices
  readonly log: Log
  readonly now: () => number
  /** Milliseconds that never go back; may stand still while the machine sleeps. */
  readonly steady: () => number
  readonly device: 'browser' | 'phone'
  /** Tells the other tabs. */
  changed(change: TabChange): void
}
