/**
 * A relay on Node in a process of its own, with probe.ts in it: start, ask, stop.
 * Not here: what runs in the process (subjects/).
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { pinnedEnv, root } from '../../../scripts/steps.ts'
import type { MemoryUse, Question } from './probe.ts'
import type { CpuProfile } from './subjects/subject.ts'

const ANSWER_MS = 30_000
const START_MS = 20_000
const PROBE = new URL('probe.ts', import.meta.url).href

export interface NodeRelay {
  readonly pid: number
  /** What the process said when it was ready: `process.send({ ready })`. */
  readonly ready: Promise<string>
  /** Ends with the process; its output, for whoever waits for something else. */
  readonly ended: Promise<never>
  memory(): Promise<MemoryUse>
  profile(work: () => Promise<unknown>): Promise<CpuProfile>
  stop(): Promise<void>
}

/** @param args script and arguments, from the project's root. */
export function startNodeRelay(args: readonly string[]): NodeRelay {
  const child = spawn('node', ['--expose-gc', '--import', PROBE, ...args], {
    cwd: root,
    env: pinnedEnv(),
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-20_000)
    })
  const exited = once(child, 'exit')
  const ended = exited.then(([code]) => Promise.reject(new Error(`${args.join(' ')} ended with ${String(code)}:\n${output}`)))
  // Heard by whoever waits; after a wanted stop nobody does.
  ended.catch(() => {})

  const message = <Value>(pick: (message: Record<string, unknown>) => Value | undefined, ms: number, what: string): Promise<Value> =>
    Promise.race([
      ended,
      new Promise<Value>((resolve, reject) => {
        const end = (): void => {
          clearTimeout(timer)
          child.off('message', onMessage)
        }
        const onMessage = (received: Record<string, unknown>): void => {
          const value = pick(received)
          if (value === undefined && received['error'] === undefined) return
          end()
          if (value === undefined) reject(new Error(String(received['error'])))
          else resolve(value)
        }
        const timer = setTimeout(() => {
          end()
          reject(new Error(`${args.join(' ')}: no ${what} in ${ms} ms:\n${output}`))
        }, ms)
        child.on('message', onMessage)
      }),
    ])

  const ask = async <Value>(question: Question): Promise<Value> => {
    const answer = message(({ value }) => value as Value | undefined, ANSWER_MS, `answer to '${question.ask}'`)
    child.send(question)
    return await answer
  }

  const ready = message(({ ready: said }) => said as string | undefined, START_MS, 'sign of being ready')
  ready.catch(() => {})
  return {
    pid: child.pid ?? -1,
    ready,
    ended,
    memory: () => ask<MemoryUse>({ ask: 'memory' }),
    async profile(work) {
      await ask({ ask: 'profile start' })
      await work()
      return await ask<CpuProfile>({ ask: 'profile stop' })
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), 5_000)
      await exited
      clearTimeout(timer)
    },
  }
}

/** The usual case: the script says its address when it is ready. */
export async function startScript(script: string): Promise<NodeRelay & { readonly address: string }> {
  const relay = startNodeRelay([script])
  return { ...relay, address: await relay.ready }
}
