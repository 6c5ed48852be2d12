/** A settable Readable for the fake. Development only. */
import type { Readable } from '@footbridge/client/api'

export class Cell<Value> implements Readable<Value> {
  #value: Value
  readonly #listeners = new Set<(value: Value) => void>()

  constructor(value: Value) {
    this.#value = value
  }

  get(): Value {
    return this.#value
  }

  set(value: Value): void {
    this.#value = value
    for (const listener of this.#listeners) listener(value)
  }

  update(change: (value: Value) => Value): void {
    this.set(change(this.#value))
  }

  subscribe(listener: (value: Value) => void): () => void {
    this.#listeners.add(listener)
    listener(this.#value)
    return () => this.#listeners.delete(listener)
  }
}
