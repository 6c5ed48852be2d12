/**
 * A child process whose output can be awaited line by line, and that is gone when its owner says so.
 * Not here: what the processes mean (start-bridge.ts, cli.ts, native.ts).
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { pinnedEnv, root } from '../../scripts/steps.ts'

export interface Exit {
  readonly code: number | null
  readonly output: string
}

export class Child {
  readonly #process: ChildProcess
  readonly #lines: string[] = []
  readonly #listeners = new Set<() => void>()
  readonly exited: Promise<Exit>
  #exit: Exit | undefined

  /** @param command program (node_modules/.bin first on the PATH) and arguments. */
  constructor(command: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const [program = '', ...args] = command
    this.#process = spawn(program, args, { cwd: root, env: pinnedEnv(env), stdio: 'pipe' })
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      if (stream === null) continue
      createInterface({ input: stream }).on('line', (line) => {
        this.#lines.push(line)
        this.#notify()
      })
    }
    this.exited = new Promise((resolve) => {
      this.#process.once('close', (code) => {
        this.#exit = { code, output: this.output }
        this.#notify()
        resolve(this.#exit)
      })
    })
    // Writing to a process that has just ended is the reader's affair: it will see the exit.
    this.#process.stdin?.on('error', () => {})
  }

  get output(): string {
    return this.#lines.join('\n')
  }

  get pid(): number {
    return this.#process.pid ?? -1
  }

  /**
   * Waits until `find` gives something for a line, past or to come.
   * @throws with the whole output after `timeoutMs`, or when the process ends first.
   */
  async line<Found>(find: (line: string) => Found | undefined, timeoutMs = 20_000): Promise<Found> {
    let seen = 0
    return await this.#until(timeoutMs, () => {
      for (; seen < this.#lines.length; seen++) {
        const found = find(this.#lines[seen] ?? '')
        if (found !== undefined) return found
      }
      return undefined
    })
  }

  /** The first line, past or to come, that is a JSON object with this `event`. */
  async event(name: string, fits: (event: Event) => boolean = () => true, timeoutMs = 20_000): Promise<Event> {
    return await this.line((line) => {
      const event = line.startsWith('{') ? (JSON.parse(line) as Event) : undefined
      return event?.event === name && fits(event) ? event : undefined
    }, timeoutMs)
  }

  count(fits: (line: string) => boolean): number {
    return this.#lines.filter(fits).length
  }

  writeLine(text: string): void {
    this.#process.stdin?.write(`${text}\n`)
  }

  /** Asks the process to end, and ends it after five seconds. Idempotent. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Exit> {
    if (this.#exit !== undefined) return this.#exit
    this.#process.kill(signal)
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), 5_000)
    const exit = await this.exited
    clearTimeout(timer)
    return exit
  }

  #notify(): void {
    for (const listener of this.#listeners) listener()
  }

  #until<Found>(timeoutMs: number, look: () => Found | undefined): Promise<Found> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer)
        this.#listeners.delete(check)
      }
      const fail = (why: string): void => {
        end()
        reject(new Error(`${why}; it printed:\n${this.output}`))
      }
      const timer = setTimeout(() => fail(`waited ${timeoutMs} ms in vain`), timeoutMs)
      const check = (): void => {
        const found = look()
        if (found !== undefined) {
          end()
          resolve(found)
        } else if (this.#exit !== undefined) fail(`the process ended with ${String(this.#exit.code)}`)
      }
      this.#listeners.add(check)
      check()
    })
  }
}

/** A JSON line that a helper process printed. */
export interface Event {
  readonly event: string
  readonly [field: string]: unknown
}
