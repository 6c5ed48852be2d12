/**
 * One conversation while its page is open: messages in a window that grows upwards, changes of the path as they are seen, and the acts of the composer.
 * Not here: how they are grouped (lib/talk/flow.ts), what is drawn (routes/Conversation.svelte).
 */
import type { FileOffer, Import, KeptFile, Message, Path, Peer } from '@footbridge/client/api'
import { isFootbridgeError } from '@footbridge/shared/errors'
import { flowOf, type FlowItem, type PathNote } from '../talk/flow.ts'
import { sentenceForError } from '../words/errors.ts'
import { pathChangeWords } from '../words/paths.ts'
import type { App } from './app.svelte.ts'
import { Live } from './live.svelte.ts'

/** Messages drawn at first, and how many more at each step upwards: a phone draws this many without a pause. */
const WINDOW = 120
/** Changes of path remembered while the page is open. */
const MAX_NOTES = 50
/** A path that changes again this soon was still settling: only the last change is worth a line. */
const SETTLING_MS = 15_000

export class Talk {
  readonly peerId: string
  readonly #app: App
  readonly #messages: Live<readonly Message[]>
  readonly #importing: Live<readonly Import[]>
  #window = $state(WINDOW)
  #notes = $state.raw<readonly PathNote[]>([])
  #trouble = $state<string | undefined>(undefined)
  #dialling = $state(false)
  #seenKind: Path['kind'] | undefined

  constructor(app: App, peerId: string) {
    this.#app = app
    this.peerId = peerId
    this.#messages = new Live(app.client.conversations.with(peerId))
    this.#importing = new Live(app.client.conversations.importing(peerId))
  }

  /** The peer as listed, or what can be said of one that never was here. */
  get peer(): Peer {
    return (
      this.#app.peer(this.peerId) ?? {
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
    return this.#app.peer(this.peerId) !== undefined
  }

  get flow(): readonly FlowItem[] {
    const messages = this.#messages.current
    const shown = messages.slice(-this.#window)
    const first = shown[0]
    return flowOf(shown, first === undefined || !this.hasEarlier ? this.#notes : this.#notes.filter((note) => note.at >= first.at))
  }

  /** Files that become messages once this device has read them. */
  get importing(): readonly Import[] {
    return this.#importing.current
  }

  get hasEarlier(): boolean {
    return this.#messages.current.length > this.#window
  }

  get lastId(): string | undefined {
    return this.#messages.current.at(-1)?.id
  }

  get isEmpty(): boolean {
    return this.#messages.current.length === 0
  }

  /** One sentence about the last act that failed. */
  get trouble(): string | undefined {
    return this.#trouble
  }

  get dialling(): boolean {
    return this.#dialling
  }

  showEarlier(): void {
    this.#window += WINDOW
  }

  dismissTrouble(): void {
    this.#trouble = undefined
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

  /** @returns true when the text was taken. */
  async sendText(text: string): Promise<boolean> {
    const trimmed = text.trim()
    if (trimmed === '') return false
    return this.#attempt(() => this.#app.client.conversations.sendText(this.peerId, trimmed))
  }

  async sendFiles(files: readonly File[]): Promise<void> {
    await Promise.all(files.map((file) => this.#attempt(() => this.#app.client.conversations.sendFile(this.peerId, file))))
  }

  cancelImport(id: string): void {
    this.#app.client.conversations.cancelImport(id)
  }

  async retry(messageId: string): Promise<void> {
    await this.#attempt(() => this.#app.client.conversations.retry(this.peerId, messageId))
  }

  async markRead(): Promise<void> {
    await this.#app.client.conversations.markRead(this.peerId)
  }

  /** Files of this conversation that take room on this device. */
  async keptFiles(): Promise<readonly KeptFile[]> {
    const cids = this.#messages.current.map(({ body }) => (body.kind === 'file' ? body.file.cid : ''))
    return (await this.#app.client.blobs.list()).filter((file) => cids.includes(file.cid))
  }

  /** Takes the conversation, and `files`, off this device. @throws FootbridgeError */
  async remove(files: readonly KeptFile[]): Promise<void> {
    await this.#app.client.conversations.remove(this.peerId)
    for (const file of files) await this.#app.client.blobs.remove(file.cid)
  }

  async removeFile(cid: string): Promise<void> {
    await this.#app.client.blobs.remove(cid)
  }

  /** Looks for the peer: for somebody who came by a link and is not in the list yet. */
  async dial(): Promise<void> {
    this.#dialling = true
    await this.#attempt(() => this.#app.client.dial(this.peerId))
    this.#dialling = false
  }

  fetchFile(offer: FileOffer): void {
    this.#app.client.blobs.fetch(offer, [this.peerId])
  }

  pauseFile(cid: string): void {
    this.#app.client.blobs.pause(cid)
  }

  async openFile(offer: FileOffer): Promise<Blob | undefined> {
    let blob: Blob | undefined
    await this.#attempt(async () => {
      blob = await this.#app.client.blobs.open(offer)
    })
    return blob
  }

  async #attempt(act: () => Promise<unknown>): Promise<boolean> {
    this.#trouble = undefined
    try {
      await act()
      return true
    } catch (error) {
      // Called off by the person: nothing to tell them.
      if (isFootbridgeError(error, 'aborted')) return false
      this.#app.noteFailure(error)
      this.#trouble = sentenceForError(error)
      return false
    }
  }
}
