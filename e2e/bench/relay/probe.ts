/**
 * Loaded into every relay that runs on Node (`--expose-gc --import`), before its own code: answers questions of the bench over the IPC channel.
 * It does nothing until asked, so that the relay runs as it always does.
 */
import { Session } from 'node:inspector/promises'

/** After a forced collection. Bytes. */
export interface MemoryUse {
  /** What the system has given the process. */
  readonly rss: number
  /** What the program holds: heap in use and what hangs from it outside. 0 where the runtime does not say. */
  readonly held: number
}

export type Question = { readonly ask: 'memory' | 'profile start' | 'profile stop' }

let session: Session | undefined

async function answer({ ask }: Question): Promise<unknown> {
  switch (ask) {
    case 'memory': {
      // The thorough kind, which gives pages back to the system as well: what is left is in use. Twice, because finalizers free more, and with time
      // for the threads that give pages back.
      for (let i = 0; i < 2; i++) {
        globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' })
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      const { rss, heapUsed, external } = process.memoryUsage()
      return { rss, held: heapUsed + external } satisfies MemoryUse
    }
    case 'profile start':
      session = new Session()
      session.connect()
      await session.post('Profiler.enable')
      await session.post('Profiler.setSamplingInterval', { interval: 500 })
      await session.post('Profiler.start')
      return true
    case 'profile stop': {
      const stopped = await session?.post('Profiler.stop')
      session?.disconnect()
      session = undefined
      return stopped?.profile
    }
  }
}

process.on('message', (question: Question) => {
  answer(question).then(
    (value) => process.send?.({ value }),
    (error: unknown) => process.send?.({ error: String(error) }),
  )
})
// The channel alone keeps no relay running.
process.channel?.unref()
