/**
 * Which request carries which part of the pipe: a few at a time, and again what a lost one carried. The client's side of sending; no I/O, no clock.
 */
import type { TunnelFrame } from '../wire/tunnel-frame.ts'
import type { BytePipe } from './byte-pipe.ts'

/** A request on its way, and the part of the pipe in it: [from, to). Empty for one that only carries news. */
export interface Flight {
  readonly from: number
  readonly to: number
  readonly frames: readonly TunnelFrame[]
}

export interface Flights {
  readonly count: number
  /** The next part to carry; undefined when there is none or as many are on their way as may. */
  start(maxBytes: number): Flight | undefined
  /** @returns true when the request came through and its part with it. */
  settle(flight: Flight, cameThrough: boolean): boolean
}

export function createFlights(pipe: BytePipe, maxFlights: number): Flights {
  const flying = new Set<Flight>()
  /** Parts of requests that failed. As many as there may be flights, because nothing else starts before they have. */
  let lost: { readonly from: number; readonly to: number }[] = []
  let cursor = 0

  return {
    get count() {
      return flying.size
    },
    start(maxBytes) {
      if (flying.size >= maxFlights) return undefined
      lost = lost.filter(({ to }) => to > pipe.acknowledged)
      const part = lost.shift()
      const from = Math.max(part?.from ?? cursor, pipe.acknowledged)
      const { frames, next } = pipe.outgoing(from, part === undefined ? maxBytes : Math.min(maxBytes, part.to - from))
      if (frames.length === 0) return undefined
      if (part !== undefined && next < part.to) lost.unshift({ from: next, to: part.to })
      cursor = Math.max(cursor, next)
      const flight = { from, to: next, frames }
      flying.add(flight)
      return flight
    },
    settle(flight, cameThrough) {
      flying.delete(flight)
      const { from, to } = flight
      if (!cameThrough && to > pipe.acknowledged && to > from) lost.push({ from, to })
      // With nothing on its way, what is not acknowledged is not there: what came early may have found no room.
      const arrived = cameThrough && (flying.size > 0 || lost.length > 0 || pipe.acknowledged >= to)
      if (flying.size === 0 && lost.length === 0) cursor = pipe.acknowledged
      return arrived
    },
  }
}
