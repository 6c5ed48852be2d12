/**
 * What a program sees of the network: the contract of `connect` (connect.ts), the same in a browser and in Node. Peers are PeerIDs as text, addresses are
 * multiaddrs as text, times are milliseconds since the epoch, sizes are bytes.
 *
 * Every promise of this contract that rejects does so with a FootbridgeError (shared/errors.ts), whose `code` is stable: `bad_request` for an argument
 * that does not have its documented shape, `aborted` once the client is closed; what else may come stands with each function.
 */
import type { Stream } from '@libp2p/interface'
import type { AnnouncePlace, Visibility } from '@footbridge/shared/wire/announce-frame'
import type { ConnectionState, LogEntry, Readable, Upgrade } from '../api.ts'
import type { ProgramStorage } from './storage.ts'

export interface ConnectOptions {
  /** The bridge's origin, such as `https://bridge.example`. May be left out when `token` is a login link, or in a page that the bridge serves. */
  readonly bridge?: string
  /** A bridge token (`fb1_…`) or a login link. Not needed by a key that this bridge has enrolled before. Never kept. */
  readonly token?: string
  /** Comes in as a guest, where the bridge lets guests in. */
  readonly guest?: boolean
  /** What others on the bridge see in their list, at most 48 characters. Default: nothing. */
  readonly name?: string
  /** Who can find this program. Default: whoever is on the same bridge. */
  readonly visibility?: Visibility
  /** The Ed25519 private key as libp2p's protobuf bytes. Default: the one in `storage`, or a new one that is put there. */
  readonly identity?: Uint8Array
  /** Where the key and the enrolment are kept. Default: IndexedDB in a browser; in Node memory, where each run is a new peer, and one more of the devices that a token may enrol. */
  readonly storage?: ProgramStorage
  /** libp2p transports beside those of this runtime (WebSocket, HTTPS tunnel, circuits; WebTransport and WebRTC in browsers): in Node `tcp()`. */
  readonly transports?: readonly unknown[]
  /** Where to listen beside the bridge, as with `listenOn`; needs a transport that can. */
  readonly listen?: readonly string[]
  /** Peers that `bootstrap` dials when it is given none, each ending in `/p2p/<peer>`. Nobody is dialled before. */
  readonly bootstrap?: readonly string[]
  /** Calls the coming in off. */
  readonly signal?: AbortSignal
  /** Default: the runtime's own. */
  readonly fetch?: typeof fetch
}

export interface NetworkClient {
  /** This program's PeerID. */
  readonly peer: string
  /** How it stands with its bridge. It comes back by itself: `away` is nothing that a program needs to act upon, `out` is the end. */
  readonly connection: Readable<ConnectionState>
  /** The last 200 lines of what happened, in plain words. */
  readonly log: Readable<readonly LogEntry[]>
  readonly events: ProgramEvents

  /**
   * Connects to a peer. A second dial to a peer that is being dialled shares the first one's end, whatever its address; one to a peer that is connected
   * already ends at once, unless it is connected by a circuit and this address is none.
   * @param address ends in `/p2p/<peer>`; `/p2p/<peer>` alone is somebody on this program's bridge
   * @returns the peer
   * @throws FootbridgeError `bad_request` without the trailing peer, `peer_unreachable`, `timeout`, `rate_limited` with 64 dials under way
   */
  dial(address: string, signal?: AbortSignal): Promise<string>
  /**
   * Listens at one more address, beside the bridge.
   * @returns the listener's id, as in the event; its addresses stand in `networkStatus`
   * @throws FootbridgeError `bad_request` when no transport here listens on that, `unavailable` when it was not possible, as at a port that is taken
   */
  listenOn(address: string): Promise<string>
  /**
   * Dials all of these peers, or those of the options.
   * @returns the peers that were reached, of which there is at least one
   * @throws FootbridgeError `bad_request` for none, more than 64, or one without a trailing `/p2p/<peer>`; `peer_unreachable` when nobody was reached
   */
  bootstrap(addresses?: readonly string[]): Promise<readonly string[]>

  /** Hears what is said on a topic, until `unsubscribe`. At most 64 topics of 256 bytes. @returns the topic */
  subscribe(topic: string): Promise<string>
  /** Nothing happens when it was not subscribed. @returns the topic */
  unsubscribe(topic: string): Promise<string>
  /**
   * Says something on a topic, signed, whether subscribed or not. Nothing is kept for later.
   * @param bytes at most 1 MiB
   * @returns the message's id: the same at everybody who hears it
   * @throws FootbridgeError `no_subscribers` when nobody who is connected listens to it, `too_large`. A bridge listens to what its sessions listen to.
   */
  publish(topic: string, bytes: Uint8Array): Promise<string>

  /**
   * A stream to a peer, over the best connection that is there or a new circuit through the bridge. Whoever opens it ends it.
   * @throws FootbridgeError `peer_unreachable`, `not_found` when they do not speak the protocol, `timeout`
   */
  openStream(peer: string, protocol: string, signal?: AbortSignal): Promise<Stream>
  /**
   * Speaks a protocol. Incoming streams come to the handler, who owns them, and are told as `streamOpened`; without a handler they belong to whoever
   * reads that event, and are cut when nobody does.
   * @returns ends it
   * @throws FootbridgeError `bad_request` when it is handled already or with 128 protocols
   */
  handle(protocol: string, handler?: StreamHandler, options?: { readonly maxInboundStreams?: number }): Promise<() => Promise<void>>

  /** Peers that are connected, the bridge among them. */
  peerCount(): number
  /** Peers that whole messages of a topic are exchanged with. 0 when it is not subscribed. */
  meshPeerCount(topic: string): number
  meshPeers(topic: string): readonly string[]
  /** Connected peers that listen to a topic, the bridge among them. */
  subscribedPeers(topic: string): readonly string[]
  /** Of each subscribed topic. */
  meshStats(): readonly TopicMesh[]
  networkStatus(): NetworkStatus

  /** Idempotent. Readers of events end; the session stays enrolled. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** An error that it throws or rejects with cuts the stream and stands in the log. */
export type StreamHandler = (opened: IncomingStream) => void | Promise<void>

export interface IncomingStream {
  readonly peer: string
  readonly protocol: string
  readonly stream: Stream
}

export interface TopicMesh {
  readonly topic: string
  readonly count: number
}

/**
 * Read by `for await`, or by a listener. Each reader has a queue of its own of 256 events and 8 MiB: who reads too slowly loses the oldest and is told by
 * `lagged`. A reader that comes later is told first where the program listens.
 */
export interface ProgramEvents extends AsyncIterable<ProgramEvent, void> {
  /** Calls the listener with each event from now on. @returns ends it @throws FootbridgeError `rate_limited` with 64 readers */
  subscribe(listener: (event: ProgramEvent) => void): () => void
  /** As above. Reading starts here: what happens before the first `next` waits. */
  [Symbol.asyncIterator](): AsyncIterator<ProgramEvent, void>
}

export type ProgramEvent =
  /** `address` ends in `/p2p/<this program>`. The listener `bridge` is the reservation there, told each time it is reachable anew. */
  | { readonly type: 'listeningOn'; readonly listenerId: string; readonly address: string }
  /** Another peer began to listen to a topic. Only told while this program uses topics. */
  | { readonly type: 'subscribed'; readonly peer: string; readonly topic: string }
  /** Another peer said that it listens no longer. One that went away says nothing. */
  | { readonly type: 'unsubscribed'; readonly peer: string; readonly topic: string }
  | { readonly type: 'message'; readonly id: string; readonly message: TopicMessage }
  | ({ readonly type: 'streamOpened' } & IncomingStream)
  /** This reader was too slow: so many events before the next one are gone. */
  | { readonly type: 'lagged'; readonly missed: number }

export interface TopicMessage {
  readonly topic: string
  /** Who signed it; not the neighbour that it came from. */
  readonly from: string
  readonly sequenceNumber: bigint
  readonly data: Uint8Array
}

/** A moment's picture. */
export interface NetworkStatus {
  readonly peer: string
  /** Where it listens itself, each ending in `/p2p/<this program>`. */
  readonly listenAddresses: readonly string[]
  /** Where others reach it from anywhere. */
  readonly externalAddresses: readonly string[]
  readonly relays: readonly RelayStatus[]
  /** Where the bridge tells others of this program, when it is visible to the network. */
  readonly rendezvous: readonly RendezvousStatus[]
  /** Peers that are reached by a circuit or past one. */
  readonly directUpgrades: readonly DirectUpgrade[]
  readonly autonat: AutonatStatus
}

export interface RelayStatus {
  /** The bridge. */
  readonly peer: string
  /** `requested`: coming in, or coming back. */
  readonly state: 'requested' | 'accepted' | 'expired'
  /** Where others reach this program through it; empty unless accepted. */
  readonly addresses: readonly string[]
}

export interface RendezvousStatus {
  /** The bridge: it registers what this program has signed. */
  readonly peer: string
  readonly state: AnnouncePlace['state']
}

export interface DirectUpgrade {
  readonly peer: string
  readonly state: 'direct' | Upgrade['state']
}

/**
 * A program behind a bridge is reachable through it whatever its network is, and asks nobody to dial it back: `reachable` by the bridge while it has its
 * reservation, else `unknown`.
 */
export interface AutonatStatus {
  readonly reachability: 'unknown' | 'reachable'
  /** When that was last seen; undefined before. */
  readonly lastTestAt: number | undefined
}
