/**
 * Files on their way into this device: one at a time, each shown from the click until its message is kept.
 * Not here: how a file becomes a blob (blobs/import.ts).
 */
import { FootbridgeError } from '@footbridge/shared/errors'
import type { FileOffer, Import, Readable } from './api.ts'
import { writable } from './observable.ts'

/** Files that one person drops at a time. More is a folder by mistake, and each holds its message back. */
export const MAX_IMPORTS = 100

export interface ImportWork {
  readonly signal: AbortSignal
  readonly onProgress: (bytesDone: number) => void
}

export interface Imports {
  of(peer: string): Readable<readonly Import[]>
  /**
   * Imports the file and gives its offer to `use`; the file is shown until that is done too.
   * @throws FootbridgeError `rate_limited` above MAX_IMPORTS, `aborted`, `storage_full`
   */
  run<Result>(peer: string, file: File, use: (offer: FileOffer) => Promise<Result>): Promise<Result>
  cancel(id: string): void
  /** Calls everything off. Idempotent. */
  stop(): void
}

export function createImports(importFile: (file: File, work: ImportWork) => Promise<FileOffer>): Imports {
  const all = writable<readonly Import[]>([])
  const running = new Map<string, AbortController>()
  /** Hashing and writing take what a device has: the next file waits for the one before. */
  let last: Promise<void> = Promise.resolve()

  const nextTurn = (): { readonly turn: Promise<void>; readonly end: () => void } => {
    const turn = last
    const { promise, resolve: end } = Promise.withResolvers<void>()
    last = turn.then(() => promise)
    return { turn, end }
  }

  const progress = (id: string, bytesDone: number): void =>
    all.set(all.get().map((each) => (each.id === id ? { ...each, bytesDone } : each)))

  return {
    of: (peer) => selected(all, (each) => each.peer === peer),
    async run(peer, file, use) {
      if (all.get().length >= MAX_IMPORTS) throw new FootbridgeError('rate_limited', `more than ${MAX_IMPORTS} files at a time`)
      const id = crypto.randomUUID()
      const cancelling = new AbortController()
      running.set(id, cancelling)
      all.set([...all.get(), { id, peer, name: file.name, size: file.size, bytesDone: 0 }])
      const { turn, end } = nextTurn()
      try {
        await Promise.race([turn, whenAborted(cancelling.signal)])
        return await use(await importFile(file, { signal: cancelling.signal, onProgress: (bytesDone) => progress(id, bytesDone) }))
      } finally {
        end()
        running.delete(id)
        all.set(all.get().filter((each) => each.id !== id))
      }
    },
    cancel: (id) => running.get(id)?.abort(calledOff()),
    stop() {
      for (const cancelling of running.values()) cancelling.abort(calledOff())
    },
  }
}

function calledOff(): FootbridgeError {
  return new FootbridgeError('aborted', 'the file was called off')
}

function whenAborted(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>()
  signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  promise.catch(() => undefined)
  return promise
}

/** Tells only of changes to what is selected. */
function selected<Item>(source: Readable<readonly Item[]>, isWanted: (item: Item) => boolean): Readable<readonly Item[]> {
  return {
    get: () => source.get().filter(isWanted),
    subscribe(listener) {
      let shown: readonly Item[] | undefined
      return source.subscribe((items) => {
        const next = items.filter(isWanted)
        if (shown?.length === next.length && next.every((item, index) => item === shown?.[index])) return
        shown = next
        listener(next)
      })
    },
  }
}
