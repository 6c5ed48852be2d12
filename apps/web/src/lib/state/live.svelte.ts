/** A Readable of the SDK as a reactive value: reading `current` in a template or effect subscribes, and the last reader to leave ends it. */
import type { Readable } from '@footbridge/client/api'
import { createSubscriber } from 'svelte/reactivity'

export class Live<Value> {
  readonly #readable: Readable<Value>
  readonly #subscribe: () => void

  constructor(readable: Readable<Value>) {
    this.#readable = readable
    this.#subscribe = createSubscriber((update) => {
      let starting = true
      const end = readable.subscribe(() => {
        // The first call comes inside subscribe(), while the reader is still reading: it has that value already.
        if (!starting) update()
      })
      starting = false
      return end
    })
  }

  get current(): Value {
    this.#subscribe()
    return this.#readable.get()
  }
}
