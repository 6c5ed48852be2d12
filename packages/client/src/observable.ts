/**
 * The smallest event source: one value, listeners, the contract of a Svelte store. Everything the SDK shows is one of these.
 */
import type { Readable } from './api.ts'

export interface Writable<Value> extends Readable<Value> {
  set(value: Value): void
  readonly listeners: number
}

export function writable<Value>(initial: Value): Writable<Value> {
  let value = initial
  const listeners = new Set<(value: Value) => void>()
  return {
    get: () => value,
    set(next) {
      if (Object.is(next, value)) return
      value = next
      for (const listener of listeners) listener(value)
    },
    subscribe(listener) {
      // A wrapper, so that the same function may subscribe twice and unsubscribe once.
      const entry = (next: Value): void => listener(next)
      listeners.add(entry)
      listener(value)
      return () => listeners.delete(entry)
    },
    get listeners() {
      return listeners.size
    },
  }
}
