/**
 * The two load processes as the bench sees them: functions to call. Both serve all relays, so that no relay meets a better warmed-up client.
 * Not here: what they do (load-process.ts).
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Requests } from './load-process.ts'

/** Anything asked here is done in seconds, or something hangs. */
const ANSWER_MS = 60_000

export type LoadProcess = {
  readonly [Name in keyof Requests]: (...args: Parameters<Requests[Name]>) => ReturnType<Requests[Name]>
} & { stop(): Promise<void> }

export function startLoadProcess(): LoadProcess {
  const child = fork(fileURLToPath(new URL('load-process.ts', import.meta.url)), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const open = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  const exited = once(child, 'exit')
  let last = 0
  child.on('message', ({ id, value, error }: { id: number; value?: unknown; error?: string }) => {
    const request = open.get(id)
    open.delete(id)
    if (error === undefined) request?.resolve(value)
    else request?.reject(new Error(`in a load process: ${error}`))
  })
  child.once('exit', (code) => {
    for (const request of open.values()) request.reject(new Error(`a load process ended with ${String(code)}`))
  })

  const call = async (name: string, args: readonly unknown[]): Promise<unknown> => {
    const id = ++last
    let timer: NodeJS.Timeout | undefined
    try {
      return await new Promise((resolve, reject) => {
        open.set(id, { resolve, reject })
        timer = setTimeout(() => reject(new Error(`a load process did not finish '${name}' in ${ANSWER_MS} ms`)), ANSWER_MS)
        child.send({ id, name, args })
      })
    } finally {
      clearTimeout(timer)
      open.delete(id)
    }
  }

  const stop = async (): Promise<void> => {
    if (child.connected) child.disconnect()
    await exited
  }
  return new Proxy({} as LoadProcess, {
    get: (_target, name) => (name === 'stop' ? stop : name === 'then' ? undefined : (...args: unknown[]) => call(String(name), args)),
  })
}
