/**
 * One conversation while its page is open: what open-talk.svelte.ts has, changes of the path as they are seen, and looking for a peer that is not listed.
 * Not here: how messages are grouped (lib/talk/flow.ts), what is drawn (routes/Conversation.svelte).
 */
import type { FileOffer, KeptFile, Message, Path, Peer } from '@footbridge/client/api'
import { flowOf, type FlowItem, type PathNote } from '../talk/flow.ts'
import { pathChangeWords } from '../words/paths.ts'
import type { App } from './app.svelte.ts'
import { OpenTalk } from './open-talk.svelte.ts'

/** Changes of path remembered while the page is open. */
const MAX_NOTES = 50
/** A path that changes again this soon was still settling: only the last change is worth a line. */
const SETTLING_MS = 15_000

export class Talk extends OpenTalk<Message> {
  readonly peerId: string
  #notes = $state.raw<readonly PathNote[]>([])
  #dialling = $state(false)
  #seenKind: Path['kind'] | undefined

  constructor(app: App, peerId: string) {
    super(app, peerId, app.client.conversations.with(peerId))
    this.peerId = peerId
  }

  protected say(text: string): Promise<unknown> {
    return this.app.client.conversations.sendText(this.peerId, text)
  }

  protected offer(file: File): Promise<unknown> {
    return this.app.client.conversations.sendFile(this.peerId, file)
  }

  /** The peer as listed, or what can be said of one that never was here. */
  get peer(): Peer {
    return (
      this.app.peer(this.peerId) ?? {
        id: this.peerId,
        name: '',
        picture: undefined,
        device: 'native',
        online: false,
        since: 0,
        path: { kind: 'none' },
        unread: 0,
        lastMessage: undefined,
      }
    )
  }

  get known(): boolean {
    return this.app.peer(this.peerId) !== undefined
  }

  get flow(): readonly FlowItem[] {
    const { shown } = this
    const first = shown[0]
    return flowOf(shown, first === undefined || !this.hasEarlier ? this.#notes : this.#notes.filter((note) => note.at >= first.at))
  }

  get dialling(): boolean {
    return this.#dialling
  }

  /** Call when the peer's path may have changed; notes a change of kind once. */
  notePath(path: Path, now: number): void {
    if (this.#seenKind !== undefined && this.#seenKind !== path.kind) {
      const last = this.#notes.at(-1)
      const before = last !== undefined && now - last.at < SETTLING_MS ? this.#notes.slice(0, -1) : this.#notes
      this.#notes = [...before, { at: now, text: pathChangeWords(path) }].slice(-MAX_NOTES)
    }
    this.#seenKind = path.kind
  }

  async retry(messageId: string): Promise<void> {
    await this.attempt(() => this.app.client.conversations.retry(this.peerId, messageId))
  }

  async markRead(): Promise<void> {
    await this.app.client.conversations.markRead(this.peerId)
  }

  /** Files of this conversation that take room on this device. */
  async keptFiles(): Promise<readonly KeptFile[]> {
    const cids = this.messages.map(({ body }) => (body.kind === 'file' ? body.file.cid : ''))
    return (await this.app.client.blobs.list()).filter((file) => cids.includes(file.cid))
  }

  /** Takes the conversation, and `files`, off this device. @throws FootbridgeError */
  async remove(files: readonly KeptFile[]): Promise<void> {
    await this.app.client.conversations.remove(this.peerId)
    for (const file of files) await this.app.client.blobs.remove(file.cid)
  }

  /** Looks for the peer: for somebody who came by a link and is not in the list yet. */
  async dial(): Promise<void> {
    this.#dialling = true
    await this.attempt(() => this.app.client.dial(this.peerId))
    this.#dialling = false
  }

  fetchFile(offer: FileOffer): void {
    this.app.client.blobs.fetch(offer, [this.peerId])
  }

  pauseFile(cid: string): void {
    this.app.client.blobs.pause(cid)
  }
}
