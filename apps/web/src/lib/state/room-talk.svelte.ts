/**
 * One room while its page is open: what was said, in a window that grows upwards, and the acts of its composer and sheets.
 * Not here: how messages are grouped (lib/talk/room-flow.ts), what is drawn (lib/components/rooms).
 */
import type { FileOffer } from '@footbridge/client/api'
import type { Room, RoomMessage } from '@footbridge/client/rooms/room'
import { isFootbridgeError } from '@footbridge/shared/errors'
import { roomFlowOf, type RoomFlowItem } from '../talk/room-flow.ts'
import { sentenceForError } from '../words/errors.ts'
import type { App } from './app.svelte.ts'
import { Live } from './live.svelte.ts'

/** Messages drawn at first, and how many more at each step upwards. */
const WINDOW = 120

export class RoomTalk {
  readonly name: string
  readonly #app: App
  readonly #messages: Live<readonly RoomMessage[]>
  #window = $state(WINDOW)
  #trouble = $state<string | undefined>(undefined)

  constructor(app: App, name: string) {
    this.#app = app
    this.name = name
    this.#messages = new Live(app.client.rooms.in(name))
  }

  /** Undefined: not joined, or not any more. */
  get room(): Room | undefined {
    return this.#app.room(this.name)
  }

  get flow(): readonly RoomFlowItem[] {
    return roomFlowOf(this.#messages.current.slice(-this.#window))
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

  showEarlier(): void {
    this.#window += WINDOW
  }

  dismissTrouble(): void {
    this.#trouble = undefined
  }

  /** @returns true when the text was taken. */
  async sendText(text: string): Promise<boolean> {
    const trimmed = text.trim()
    if (trimmed === '') return false
    return this.#attempt(() => this.#app.client.rooms.sendText(this.name, trimmed))
  }

  async sendFiles(files: readonly File[]): Promise<void> {
    for (const file of files) await this.#attempt(() => this.#app.client.rooms.sendFile(this.name, file))
  }

  async fetchFile(messageId: string): Promise<void> {
    await this.#attempt(() => this.#app.client.rooms.fetchFile(this.name, messageId))
  }

  async removeFile(cid: string): Promise<void> {
    await this.#app.client.blobs.remove(cid)
  }

  async openFile(offer: FileOffer): Promise<Blob | undefined> {
    let blob: Blob | undefined
    await this.#attempt(async () => {
      blob = await this.#app.client.blobs.open(offer)
    })
    return blob
  }

  async markRead(): Promise<void> {
    await this.#app.client.rooms.markRead(this.name)
  }

  async join(): Promise<void> {
    await this.#attempt(() => this.#app.client.rooms.join(this.name))
  }

  async clear(): Promise<void> {
    await this.#attempt(() => this.#app.client.rooms.clear(this.name))
  }

  async leave(): Promise<boolean> {
    return this.#attempt(() => this.#app.client.rooms.leave(this.name))
  }

  async #attempt(act: () => Promise<unknown>): Promise<boolean> {
    this.#trouble = undefined
    try {
      await act()
      return true
    } catch (error) {
      if (isFootbridgeError(error, 'aborted')) return false
      this.#app.noteFailure(error)
      this.#trouble = sentenceForError(error)
      return false
    }
  }
}
