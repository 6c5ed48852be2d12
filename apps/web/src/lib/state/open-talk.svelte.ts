/**
 * What a conversation and a room have in common while their page is open: messages in a window that grows upwards, files on their way in, and one
 * sentence about the last act that failed.
 * Next: talk.svelte.ts (with one peer), room-talk.svelte.ts (in a room).
 */
import type { FileOffer, Import, Readable } from '@footbridge/client/api'
import { isFootbridgeError } from '@footbridge/shared/errors'
import { sentenceForError } from '../words/errors.ts'
import type { App } from './app.svelte.ts'
import { Live } from './live.svelte.ts'

/** Messages drawn at first, and how many more at each step upwards: a phone draws this many without a pause. */
const WINDOW = 120

export abstract class OpenTalk<Message extends { readonly id: string }> {
  protected readonly app: App
  readonly #messages: Live<readonly Message[]>
  readonly #importing: Live<readonly Import[]>
  #window = $state(WINDOW)
  #trouble = $state<string | undefined>(undefined)

  /** @param owner whose files are shown while they are read: a PeerID, or a room's name */
  constructor(app: App, owner: string, messages: Readable<readonly Message[]>) {
    this.app = app
    this.#messages = new Live(messages)
    this.#importing = new Live(app.client.conversations.importing(owner))
  }

  protected abstract say(text: string): Promise<unknown>
  protected abstract offer(file: File): Promise<unknown>
  abstract markRead(): Promise<void>

  protected get messages(): readonly Message[] {
    return this.#messages.current
  }

  protected get shown(): readonly Message[] {
    return this.messages.slice(-this.#window)
  }

  /** Files that become messages once this device has read them. */
  get importing(): readonly Import[] {
    return this.#importing.current
  }

  get hasEarlier(): boolean {
    return this.messages.length > this.#window
  }

  get lastId(): string | undefined {
    return this.messages.at(-1)?.id
  }

  get isEmpty(): boolean {
    return this.messages.length === 0 && this.importing.length === 0
  }

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
    return this.attempt(() => this.say(trimmed))
  }

  async sendFiles(files: readonly File[]): Promise<void> {
    await Promise.all(files.map((file) => this.attempt(() => this.offer(file))))
  }

  cancelImport(id: string): void {
    this.app.client.conversations.cancelImport(id)
  }

  async openFile(offer: FileOffer): Promise<Blob | undefined> {
    let blob: Blob | undefined
    await this.attempt(async () => {
      blob = await this.app.client.blobs.open(offer)
    })
    return blob
  }

  async removeFile(cid: string): Promise<void> {
    await this.app.client.blobs.remove(cid)
  }

  protected async attempt(act: () => Promise<unknown>): Promise<boolean> {
    this.#trouble = undefined
    try {
      await act()
      return true
    } catch (error) {
      // Called off by the person: nothing to tell them.
      if (isFootbridgeError(error, 'aborted')) return false
      this.app.noteFailure(error)
      this.#trouble = sentenceForError(error)
      return false
    }
  }
}
