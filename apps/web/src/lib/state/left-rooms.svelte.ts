/**
 * Rooms that were left here: the last one can be had back for a few seconds with all that was said in it, and each is offered by name when a room is to be
 * joined. Until those seconds are over the room is only hidden; should the page be closed meanwhile, the next one takes it off this device.
 */
import type { Rooms } from '@footbridge/client/rooms/room'

const KEY = 'footbridge.left-rooms'
/** Names that are offered again. */
const MAX_OFFERED = 5
/** Long enough to read a line and reach its button. */
const UNDO_MS = 10_000

export class LeftRooms {
  readonly #rooms: Pick<Rooms, 'list' | 'join' | 'leave'>
  readonly #storage: Pick<Storage, 'getItem' | 'setItem'>
  readonly #onFailure: (error: unknown) => void
  /** Newest first. */
  #names = $state.raw<readonly string[]>([])
  #pending = $state<string | undefined>(undefined)
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(
    rooms: Pick<Rooms, 'list' | 'join' | 'leave'>,
    storage: Pick<Storage, 'getItem' | 'setItem'>,
    onFailure: (error: unknown) => void,
  ) {
    this.#rooms = rooms
    this.#storage = storage
    this.#onFailure = onFailure
    this.#names = parse(storage.getItem(KEY))
    for (const { name } of rooms.list.get()) if (this.#names.includes(name)) this.#end(name)
  }

  get names(): readonly string[] {
    return this.#names
  }

  /** The room that can still be had back as it was. */
  get pending(): string | undefined {
    return this.#pending
  }

  leave(name: string): void {
    this.settle()
    this.#keep([name, ...this.#without(name)].slice(0, MAX_OFFERED))
    this.#pending = name
    this.#timer = setTimeout(() => this.settle(), UNDO_MS)
  }

  /** @returns the room that is back */
  undo(): string | undefined {
    const name = this.#pending
    clearTimeout(this.#timer)
    this.#pending = undefined
    if (name !== undefined) this.#keep(this.#without(name))
    return name
  }

  /** @returns the room's name as it was taken. @throws FootbridgeError as `Rooms.join` */
  async join(given: string): Promise<string> {
    if (given.trim() === this.#pending) this.undo()
    const name = await this.#rooms.join(given)
    this.#keep(this.#without(name))
    return name
  }

  /** There is no way back any more. */
  settle(): void {
    const name = this.#pending
    clearTimeout(this.#timer)
    this.#pending = undefined
    if (name !== undefined) this.#end(name)
  }

  forget(): void {
    clearTimeout(this.#timer)
    this.#pending = undefined
    this.#keep([])
  }

  #end(name: string): void {
    this.#rooms.leave(name).catch(this.#onFailure)
  }

  #without(name: string): readonly string[] {
    return this.#names.filter((each) => each !== name)
  }

  #keep(names: readonly string[]): void {
    this.#names = names
    this.#storage.setItem(KEY, JSON.stringify(names))
  }
}

/** Whatever else stands there was not written by this app. */
function parse(kept: string | null): readonly string[] {
  try {
    const names: unknown = JSON.parse(kept ?? '[]')
    return Array.isArray(names) ? names.filter((name) => typeof name === 'string').slice(0, MAX_OFFERED) : []
  } catch {
    return []
  }
}
