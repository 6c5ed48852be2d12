/**
 * What the whole app shares: the SDK's facts as reactive values, and which screen they call for.
 * Not here: the way in (arrival.svelte.ts), one conversation (talk.svelte.ts), one room (room-talk.svelte.ts).
 */
import type { CheckUp } from '@footbridge/client/check-up/facts'
import type { BridgeNotices, ConnectionState, Findable, Footbridge, LogEntry, Peer, Profile, TabRole } from '@footbridge/client/api'
import type { Room, RoomTopics } from '@footbridge/client/rooms/room'
import { isFootbridgeError, type ErrorCode } from '@footbridge/shared/errors'
import { needsToken } from '../words/errors.ts'
import { spanOfConnection, type SpanKind } from '../words/paths.ts'
import { Clock } from './clock.svelte.ts'
import { LeftRooms } from './left-rooms.svelte.ts'
import { Live } from './live.svelte.ts'

const SKIPPED_NAME_KEY = 'footbridge.name-skipped'

export class App {
  readonly client: Footbridge
  readonly clock = new Clock()
  readonly leftRooms: LeftRooms
  readonly #connection: Live<ConnectionState>
  readonly #notices: Live<BridgeNotices>
  readonly #tab: Live<TabRole>
  readonly #peers: Live<readonly Peer[]>
  readonly #rooms: Live<readonly Room[]>
  readonly #roomTopics: Live<RoomTopics>
  readonly #log: Live<readonly LogEntry[]>
  readonly #profile: Live<Profile>
  readonly #findable: Live<Findable>
  readonly #checkUp: Live<CheckUp>
  readonly #storage: Pick<Storage, 'getItem' | 'setItem'>
  #arriveHeld = $state(false)
  #arrivalFailed = $state(false)
  #nameSkipped = $state(false)
  #browsingKept = $state(false)
  #storageFull = $state(false)

  constructor(client: Footbridge, storage: Pick<Storage, 'getItem' | 'setItem'>) {
    this.client = client
    this.#storage = storage
    this.#connection = new Live(client.connection)
    this.#notices = new Live(client.notices)
    this.#tab = new Live(client.tab)
    this.#peers = new Live(client.peers)
    this.#rooms = new Live(client.rooms.list)
    this.#roomTopics = new Live(client.rooms.topics)
    this.#log = new Live(client.log)
    this.#profile = new Live(client.profile)
    this.#findable = new Live(client.findable)
    this.#checkUp = new Live(client.checkUp.report)
    this.leftRooms = new LeftRooms(client.rooms, storage, (error) => this.noteFailure(error))
    this.#nameSkipped = storage.getItem(SKIPPED_NAME_KEY) !== null
  }

  get connection(): ConnectionState {
    return this.#connection.current
  }

  /** What the bridge has told. */
  get notices(): BridgeNotices {
    return this.#notices.current
  }

  get tab(): TabRole {
    return this.#tab.current
  }

  get peers(): readonly Peer[] {
    return this.#peers.current
  }

  /** Joined rooms, without one that is being left. */
  get rooms(): readonly Room[] {
    const { pending } = this.leftRooms
    return pending === undefined ? this.#rooms.current : this.#rooms.current.filter(({ name }) => name !== pending)
  }

  get roomTopics(): RoomTopics {
    return this.#roomTopics.current
  }

  get log(): readonly LogEntry[] {
    return this.#log.current
  }

  get profile(): Profile {
    return this.#profile.current
  }

  get findable(): Findable {
    return this.#findable.current
  }

  get checkUp(): CheckUp {
    return this.#checkUp.current
  }

  /** This device's PeerID, or '' before there is one. */
  get ownId(): string {
    void this.connection
    return this.client.identity()?.peer ?? ''
  }

  get hopSpan(): SpanKind {
    return spanOfConnection(this.connection)
  }

  get hopRoundTrip(): number | undefined {
    return this.connection.state === 'online' ? this.connection.firstHop.rttMs : undefined
  }

  /** Why only another token helps, or undefined. */
  get tokenTrouble(): ErrorCode | undefined {
    const connection = this.connection
    if (connection.state === 'out' && needsToken(connection.reason)) return connection.reason
    return undefined
  }

  get screen(): 'arrive' | 'naming' | 'inside' {
    const { state } = this.connection
    if (this.#arriveHeld && !(this.#arrivalFailed && state === 'online')) return 'arrive'
    if (state === 'out') return this.#browsingKept ? 'inside' : 'arrive'
    return state === 'online' && this.profile.name === '' && !this.#nameSkipped ? 'naming' : 'inside'
  }

  /** Something is kept here that can be read without a session. */
  get hasKept(): boolean {
    return this.peers.length > 0
  }

  get storageFull(): boolean {
    return this.#storageFull
  }

  peer(id: string): Peer | undefined {
    return this.peers.find((peer) => peer.id === id)
  }

  room(name: string): Room | undefined {
    return this.rooms.find((room) => room.name === name)
  }

  /** @returns the room's name as it was taken. @throws FootbridgeError as `Rooms.join` */
  joinRoom(name: string): Promise<string> {
    return this.leftRooms.join(name)
  }

  /** Deletes everything of Footbridge from this browser. */
  async forget(): Promise<void> {
    await this.client.forget()
    this.leftRooms.forget()
  }

  /** Arrive stays on screen while somebody logs in, so that its last step can be read. */
  holdArrive(): void {
    this.#arriveHeld = true
    this.#arrivalFailed = false
  }

  entered(): void {
    this.#arriveHeld = false
    this.#browsingKept = false
  }

  /** Arrive stays with its sentence, unless the SDK gets through by itself later. */
  arrivalFailed(): void {
    this.#arrivalFailed = true
  }

  /** Shows Arrive although this device has an identity: for another token. `false` goes back to what is kept. */
  askForToken(asks: boolean): void {
    this.#arriveHeld = asks
    this.#arrivalFailed = false
    this.#browsingKept = !asks
  }

  async logout(): Promise<void> {
    this.#browsingKept = false
    await this.client.logout()
  }

  skipName(): void {
    this.#storage.setItem(SKIPPED_NAME_KEY, '1')
    this.#nameSkipped = true
  }

  /** Every failed act passes here, so that a full disk is told once for the whole app. */
  noteFailure(error: unknown): void {
    if (isFootbridgeError(error, 'storage_full')) this.#storageFull = true
  }

  dismissStorageFull(): void {
    this.#storageFull = false
  }
}
