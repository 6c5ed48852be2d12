/**
 * Rooms that were left here: the last one can be had back for a few seconds with all that was said in it, and each is offered by name when a room is to be
 * joined. Until those seconds are over the room is only hidden; a page that is opened meanwhile, beside this one or after it, goes on counting them.
 * What is kept decides, not what a page remembers: of several pages one may take the room back that another has left.
 */
import type { Rooms } from '@footbridge/client/rooms/room'
import * as v from 'valibot'

const KEY = 'footbridge.left-rooms'
/** Names that are offered again. */
const MAX_OFFERED = 5
/** Long enough to read a line and reach its button. */
const UNDO_MS = 10_000

const keptSchema = v.object({
  /** Newest first. */
  names: v.array(v.string()),
  /** The room that can still be had back, until then (milliseconds since 1970). */
  leaving: v.optional(v.object({ name: v.string(), until: v.number() })),
})
type Kept = v.InferOutput<typeof keptSchema>

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
    const { names, leaving } = this.#kept()
    this.#names = names
    if (leaving === undefined || !rooms.list.get().some(({ name }) => name === leaving.name)) return
    this.#hide(leaving.name, Math.min(leaving.until - Date.now(), UNDO_MS))
  }

  get names(): readonly string[] {
    return this.#names
  }

  /** The room that can still be had back as it was. */
  get pending(): string | undefined {
    return this.#pending
  }

  leave(name: string): void {
    const { names, leaving } = this.#kept()
    this.#keep({ names: [name, ...without(names, name)].slice(0, MAX_OFFERED), leaving: { name, until: Date.now() + UNDO_MS } })
    if (leaving !== undefined && leaving.name !== name) this.#end(leaving.name)
    this.#hide(name, UNDO_MS)
  }

  /** @returns the room that is back */
  undo(): string | undefined {
    const name = this.#show()
    if (name !== undefined) this.#stays(name)
    return name
  }

  /** @returns the room's name as it was taken. @throws FootbridgeError as `Rooms.join` */
  async join(given: string): Promise<string> {
    if (given.trim() === this.#pending) this.undo()
    const name = await this.#rooms.join(given)
    this.#stays(name)
    return name
  }

  /** There is no way back any more. */
  settle(): void {
    const name = this.#show()
    const { names, leaving } = this.#kept()
    if (name === undefined || leaving?.name !== name) return
    this.#keep({ names })
    this.#end(name)
  }

  forget(): void {
    this.#show()
    this.#keep({ names: [] })
  }

  #hide(name: string, forMs: number): void {
    clearTimeout(this.#timer)
    this.#pending = name
    this.#timer = setTimeout(() => this.settle(), Math.max(0, forMs))
  }

  /** @returns what was hidden */
  #show(): string | undefined {
    const name = this.#pending
    clearTimeout(this.#timer)
    this.#pending = undefined
    return name
  }

  #stays(name: string): void {
    const { names, leaving } = this.#kept()
    this.#keep({ names: without(names, name), ...(leaving !== undefined && leaving.name !== name && { leaving }) })
  }

  #end(name: string): void {
    this.#rooms.leave(name).catch(this.#onFailure)
  }

  #kept(): Kept {
    return parse(this.#storage.getItem(KEY))
  }

  #keep(kept: Kept): void {
    this.#names = kept.names
    this.#storage.setItem(KEY, JSON.stringify(kept))
  }
}

function without(names: readonly string[], name: string): string[] {
  return names.filter((each) => each !== name)
}

/** Whatever else stands there was not written by this app. */
function parse(text: string | null): Kept {
  try {
    const kept = v.parse(keptSchema, JSON.parse(text ?? ''))
    return { ...kept, names: kept.names.slice(0, MAX_OFFERED) }
  } catch {
    return { names: [] }
  }
}
