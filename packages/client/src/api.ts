/**
 * The browser SDK's contract: everything the app (or any local-first app) sees of Footbridge. Implementations are in the files beside this one;
 * `connect.ts` makes them. Every object here is a plain event source: `subscribe(listener)` calls at once with the present value and at each change,
 * and gives back the function that ends it (the contract of a Svelte store).
 */
import type { BridgeNetwork } from '@footbridge/shared/bridge-network'
import type { SessionAnswer } from '@footbridge/shared/login'
import type { DeviceKind } from '@footbridge/shared/wire/presence-frame'
import type { ErrorCode } from '@footbridge/shared/errors'
import type { AnnouncePlace, Visibility } from '@footbridge/shared/wire/announce-frame'
import type { EndingReason, LimitName, LimitScope, SessionLimits } from '@footbridge/shared/wire/control-frame'
import type { CheckUpRunner } from './check-up/facts.ts'
import type { Rooms } from './rooms/room.ts'

export interface Readable<Value> {
  get(): Value
  subscribe(listener: (value: Value) => void): () => void
}

/** The way in: three steps, each with its time, so that a failure names its step. */
export type ArrivalStep = 'reaching' | 'proving' | 'reserving'

/** How this device stands with its bridge. */
export type ConnectionState =
  /** No identity enrolled here yet: show Arrive. */
  /** Or no longer: `reason` says why. `other_device`: another device came with this identity; a login with `device` takes it back. */
  | { readonly state: 'out'; readonly reason?: ErrorCode }
  /** Logging in or dialling for the first time since the page was opened. */
  | { readonly state: 'arriving'; readonly step: ArrivalStep; readonly stepStartedAt: number; readonly done: readonly StepTime[] }
  /** Reachable through the bridge. */
  | { readonly state: 'online'; readonly session: SessionAnswer; readonly firstHop: FirstHop; readonly done: readonly StepTime[] }
  /** Was online; trying again by itself. `retryAt` is when, milliseconds since the epoch. */
  | { readonly state: 'away'; readonly code: ErrorCode; readonly attempt: number; readonly retryAt: number }
  /** Another tab of this browser holds the peer and has not answered yet; once it has, this tab shows that one's state. */
  | { readonly state: 'other-tab' }

/**
 * Which tab of this browser holds the peer. A tab that follows is a full window onto it: it shows the other's state, and what is done here is done there.
 */
export type TabRole = 'leads' | 'follows'

/** A limit that holds this device up. */
export interface Held {
  readonly limit: LimitName
  readonly scope: LimitScope
  /** This device's clock; undefined when nobody knows. */
  readonly until: number | undefined
  /** When it is taken off the list unless the bridge repeats it. */
  readonly shownUntil: number
}

/** What the bridge has told of the state of things. */
export interface BridgeNotices {
  /** How far the bridge's clock is ahead of this device's; undefined before it was told. */
  readonly clockSkewMs: number | undefined
  readonly limits: SessionLimits | undefined
  readonly held: readonly Held[]
  /** Circuits that are cut, or were a moment ago, with the time by this device's clock. */
  readonly ending: readonly { readonly peer: string; readonly reason: EndingReason; readonly at: number }[]
  /** The bridge restarts. `backBy` undefined: it does not come back. */
  readonly draining: { readonly reconnectAt: number; readonly backBy: number | undefined } | undefined
}

/**
 * Who can find this device: nobody, the people on its bridge, or whoever looks for peers on the network. Whoever knows its address reaches it all the same.
 */
export interface Findable {
  /** Kept on this device; in force as soon as the bridge knows. */
  readonly choice: Visibility
  /** Where the bridge tells of it, as it said last; empty while away, and before it said anything. */
  readonly places: readonly AnnouncePlace[]
  /** The bridge heeds the choice. One that does not is older, and shows everybody to everybody on it; undefined before that is known. */
  readonly isSupported: boolean | undefined
}

export interface StepTime {
  readonly step: ArrivalStep
  readonly ms: number
}

/** How this device reaches its bridge. */
export interface FirstHop {
  /** `tunnel`: the HTTPS tunnel. */
  readonly kind: 'webtransport' | 'websocket' | 'tunnel'
  readonly address: string
  /** Round trip to the bridge in ms, undefined before the first ping. */
  readonly rttMs: number | undefined
}

/** What a direct connection goes over: WebRTC between browsers, the others to a native peer that listens on them. */
export type DirectOver = 'webrtc' | 'webrtc-direct' | 'webtransport' | 'websocket'

/** How two peers are connected now. */
export type Path =
  | {
      readonly kind: 'direct'
      readonly over: DirectOver
      readonly rttMs: number | undefined
      readonly address: string
      readonly since: number
    }
  | {
      readonly kind: 'relayed'
      readonly over: 'circuit'
      readonly rttMs: number | undefined
      readonly address: string
      readonly since: number
      readonly upgrade: Upgrade
    }
  | { readonly kind: 'none' }

/** Why a relayed path is not direct (yet). */
export type Upgrade =
  | { readonly state: 'idle' }
  | { readonly state: 'trying'; readonly startedAt: number }
  | { readonly state: 'failed'; readonly reason: string; readonly retryAt: number }
  /** The other side does not speak WebRTC, or this browser does not. */
  | { readonly state: 'unsupported' }

export interface Peer {
  readonly id: string
  /** What they call themselves; '' when unknown. */
  readonly name: string
  readonly picture: string | undefined
  /** `native`: reached us by libp2p, not through the app. */
  readonly device: DeviceKind | 'native'
  /** Reachable now, by the bridge's list or an open connection. */
  readonly online: boolean
  /** When they came online; or, offline, when they were last here. */
  readonly since: number
  readonly path: Path
  readonly unread: number
  readonly lastMessage: Message | undefined
}

export interface Message {
  readonly id: string
  readonly peer: string
  readonly direction: 'in' | 'out'
  /** By the sender's clock. */
  readonly at: number
  readonly body: { readonly kind: 'text'; readonly text: string } | { readonly kind: 'file'; readonly file: FileOffer }
  /** Incoming messages are `delivered`. */
  readonly status: 'waiting' | 'sent' | 'delivered' | 'refused'
}

export interface FileOffer {
  readonly cid: string
  readonly name: string
  readonly size: number
  readonly media: string
}

/** A file of which this device keeps bytes, whole or in part. */
export interface KeptFile extends FileOffer {
  /** What it takes here; less than `size` while it is not complete. */
  readonly bytesHere: number
  readonly addedAt: number
}

/** A file on its way into this device, before there is a message: cut, hashed and stored. */
export interface Import {
  readonly id: string
  /** Whom it will be offered to. */
  readonly peer: string
  readonly name: string
  readonly size: number
  /** 0 while other files are before it. */
  readonly bytesDone: number
}

/** A blob's way to this device. */
export interface Transfer {
  readonly cid: string
  /** `waiting`: wants to go on, nobody who has it is reachable. */
  readonly state: 'importing' | 'fetching' | 'waiting' | 'paused' | 'complete' | 'failed'
  readonly bytesDone: number
  readonly bytesTotal: number
  /** Over the last seconds. */
  readonly bytesPerSecond: number
  /** Peers that blocks came from, and peers that were dropped for bad blocks. */
  readonly sources: readonly string[]
  readonly refusedSources: readonly string[]
  readonly error: ErrorCode | undefined
}

export interface LogEntry {
  readonly at: number
  readonly level: 'info' | 'warn'
  /** Plain words; never a secret. */
  readonly text: string
}

export interface Profile {
  readonly name: string
  readonly picture: string | undefined
}

export interface StorageUse {
  readonly usedBytes: number
  readonly quotaBytes: number | undefined
  readonly persistent: boolean
  readonly blobs: number
  readonly blobBytes: number
  readonly messages: number
}

export interface Conversations {
  /** Oldest first, the whole of what is kept with this peer; live. */
  with(peer: string): Readable<readonly Message[]>
  sendText(peer: string, text: string): Promise<Message>
  /** Imports the file (progress in `importing`), keeps it, offers it. @throws FootbridgeError `aborted` after `cancelImport`, `storage_full` */
  sendFile(peer: string, file: File): Promise<Message>
  /** Files for this peer that are being imported, in the order of `sendFile`; each is gone when its message is there, or when it failed. */
  importing(peer: string): Readable<readonly Import[]>
  /** Nothing happens when it is done already. */
  cancelImport(id: string): void
  /** Sends a `waiting` message again now. */
  retry(peer: string, messageId: string): Promise<void>
  markRead(peer: string): Promise<void>
  remove(peer: string): Promise<void>
}

export interface Blobs {
  transfer(cid: string): Readable<Transfer | undefined>
  /** Starts or goes on. `sources` are asked first; then every peer that is here. */
  fetch(offer: FileOffer, sources: readonly string[]): void
  pause(cid: string): void
  /** The whole file from this device alone. @throws FootbridgeError `block_not_found` when it is not complete. */
  open(offer: FileOffer): Promise<Blob>
  remove(cid: string): Promise<void>
  /** Everything that is kept, what takes the most room first. */
  list(): Promise<readonly KeptFile[]>
}

export interface Identity {
  readonly peer: string
  /** Encrypted under the passphrase: the text of a file to keep. */
  exportWith(passphrase: string): Promise<string>
}

/** What `openFootbridge` gives. Works without any network: kept messages and blobs are there at once. */
export interface Footbridge {
  readonly connection: Readable<ConnectionState>
  readonly notices: Readable<BridgeNotices>
  readonly tab: Readable<TabRole>
  readonly peers: Readable<readonly Peer[]>
  readonly log: Readable<readonly LogEntry[]>
  readonly profile: Readable<Profile>
  readonly findable: Readable<Findable>
  readonly conversations: Conversations
  readonly blobs: Blobs
  readonly rooms: Rooms
  /** Undefined until the first login made or an import brought one. */
  identity(): Identity | undefined
  /** Logs in with a token, as a guest, or (neither) as the device enrolled before. Resolves once online. @throws FootbridgeError */
  login(credential: { token: string } | { guest: true } | { device: true }): Promise<void>
  /** Ends the session at the bridge, keeps identity and what is stored. */
  logout(): Promise<void>
  setProfile(profile: Profile): Promise<void>
  /** Chooses who can find this device, from now on and over every login; `findable` shows what becomes of it. */
  setVisibility(visibility: Visibility): Promise<void>
  /** Connects to a peer by PeerID or multiaddr, and lists it. @throws FootbridgeError `peer_unreachable` */
  dial(target: string): Promise<string>
  /** Tries again now instead of at `retryAt`. */
  retryNow(): void
  /** Tries to make the path to this peer direct now. */
  upgrade(peer: string): void
  storageUse(): Promise<StorageUse>
  /** What this browser's network allows, and why it does not connect. Works in every state, without a network too. */
  readonly checkUp: CheckUpRunner
  /** Origin of the bridge that this device logs in at: that of the page, unless a login link named another. */
  bridgeUrl(): string
  /** How the bridge itself stands in the network: whether it is reached from elsewhere, and whom it knows. @throws FootbridgeError `unreachable`, `not_found` for an older bridge */
  bridgeNetwork(): Promise<BridgeNetwork>
  /** Addresses at which others can dial this peer. */
  addresses(): readonly string[]
  /** Replaces the identity by an exported one; logged out afterwards. @throws FootbridgeError `passphrase_wrong` */
  importIdentity(exported: string, passphrase: string): Promise<void>
  /** Deletes identity, messages and blobs from this device. */
  forget(): Promise<void>
  close(): Promise<void>
}
