/** The present as a reactive value, for relative times and countdowns: one timer each, running only while somebody reads. */
import { createSubscriber } from 'svelte/reactivity'

export class Clock {
  readonly #seconds = ticking(1000)
  readonly #slow = ticking(20_000)

  /** Changes every second. */
  get second(): number {
    this.#seconds()
    return Date.now()
  }

  /** Changes three times a minute: enough for "12 min ago". */
  get slow(): number {
    this.#slow()
    return Date.now()
  }
}

function ticking(everyMs: number): () => void {
  return createSubscriber((update) => {
    const timer = setInterval(update, everyMs)
    return () => clearInterval(timer)
  })
}
