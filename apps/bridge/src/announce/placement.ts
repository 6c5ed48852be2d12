/**
 * Keeps the places as they should be: each is told of every virtual peer that is to be announced, one call at a time for a peer, however fast peers come
 * and go. Facts say what is wanted; one function makes each place so, and begins again when the facts changed meanwhile.
 * Not here: who is to be announced (announce.ts).
 */
import type { Carried } from './announcement.ts'
import type { Place } from './place.ts'

export type PlaceState = 'announced' | 'full' | 'failed' | 'ready'

export interface Placement {
  /** Undefined: not any more. */
  set(peer: string, carried: Carried | undefined): void
  /** `ready` before the place was asked the first time, and when it is not to tell. */
  state(peer: string, place: Place): PlaceState
  /** Peers that some place tells of now. */
  announced(): number
  /** Tries again where it was full or failed. */
  retry(): void
  /** Everywhere gone, once this resolves. */
  clear(): Promise<void>
}

interface Desk {
  wanted: Carried | undefined
  /** What each place was told last, and what it said. */
  readonly told: Map<Place, { readonly carried: Carried | undefined; readonly state: PlaceState }>
  running: Promise<void> | undefined
  /** The facts changed since the last look. */
  isDirty: boolean
}

/** @param onChange told of every peer whose state in some place changed. */
export function createPlacement(
  places: readonly Place[],
  { onChange, onError }: { readonly onChange: (peer: string) => void; readonly onError: (error: unknown, place: Place['name']) => void },
): Placement {
  const desks = new Map<string, Desk>()

  const tell = async (place: Place, carried: Carried): Promise<PlaceState> => {
    try {
      return await place.announce(carried)
    } catch (error) {
      onError(error, place.name)
      return 'failed'
    }
  }

  const forget = async (place: Place, peer: string): Promise<void> => {
    try {
      await place.withdraw(peer)
    } catch (error) {
      onError(error, place.name)
    }
  }

  /** Does the next thing that is not as it should be. @returns false when all is. */
  const step = async (peer: string, desk: Desk): Promise<boolean> => {
    for (const place of places) {
      const told = desk.told.get(place)
      const { wanted } = desk
      if (wanted === undefined && told !== undefined) {
        await forget(place, peer)
        desk.told.delete(place)
        return true
      }
      if (wanted === undefined || told?.carried === wanted || place.names().length === 0) continue
      const state = await tell(place, wanted)
      desk.told.set(place, { carried: wanted, state })
      if (desk.wanted === wanted) onChange(peer)
      return true
    }
    return false
  }

  const run = (peer: string, desk: Desk): void => {
    desk.isDirty = true
    desk.running ??= (async () => {
      while (desk.isDirty) {
        desk.isDirty = false
        while (await step(peer, desk));
      }
      desk.running = undefined
      if (desk.wanted === undefined && desks.get(peer) === desk) desks.delete(peer)
    })()
  }

  return {
    set(peer, carried) {
      const desk = desks.get(peer) ?? { wanted: undefined, told: new Map(), running: undefined, isDirty: false }
      if (desk.wanted === carried) return
      desk.wanted = carried
      desks.set(peer, desk)
      run(peer, desk)
    },
    state(peer, place) {
      const desk = desks.get(peer)
      return desk?.wanted === undefined ? 'ready' : (desk.told.get(place)?.state ?? 'ready')
    },
    announced: () => [...desks.values()].filter(({ wanted }) => wanted !== undefined).length,
    retry() {
      for (const [peer, desk] of desks) {
        for (const [place, { state }] of desk.told) if (state !== 'announced') desk.told.set(place, { carried: undefined, state })
        run(peer, desk)
      }
    },
    async clear() {
      for (const [peer, desk] of desks) {
        desk.wanted = undefined
        run(peer, desk)
      }
      await Promise.all([...desks.values()].flatMap(({ running }) => running ?? []))
    },
  }
}
