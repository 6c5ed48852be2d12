/**
 * One room while its page is open: what open-talk.svelte.ts has, and the acts of the room's own sheet.
 * Not here: how messages are grouped (lib/talk/room-flow.ts), what is drawn (lib/components/rooms), leaving with a way back (left-rooms.svelte.ts).
 */
import type { Room, RoomMessage } from '@footbridge/client/rooms/room'
import { roomFlowOf, type RoomFlowItem } from '../talk/room-flow.ts'
import type { App } from './app.svelte.ts'
import { OpenTalk } from './open-talk.svelte.ts'

export class RoomTalk extends OpenTalk<RoomMessage> {
  readonly name: string

  constructor(app: App, name: string) {
    super(app, name, app.client.rooms.in(name))
    this.name = name
  }

  protected say(text: string): Promise<unknown> {
    return this.app.client.rooms.sendText(this.name, text)
  }

  protected offer(file: File): Promise<unknown> {
    return this.app.client.rooms.sendFile(this.name, file)
  }

  /** Undefined: not joined, or not any more. */
  get room(): Room | undefined {
    return this.app.room(this.name)
  }

  get flow(): readonly RoomFlowItem[] {
    return roomFlowOf(this.shown)
  }

  async fetchFile(messageId: string): Promise<void> {
    await this.attempt(() => this.app.client.rooms.fetchFile(this.name, messageId))
  }

  async markRead(): Promise<void> {
    await this.app.client.rooms.markRead(this.name)
  }

  async join(): Promise<void> {
    await this.attempt(() => this.app.joinRoom(this.name))
  }

  async clear(): Promise<void> {
    await this.attempt(() => this.app.client.rooms.clear(this.name))
  }
}
