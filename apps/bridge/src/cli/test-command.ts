/** For tests: the real command in a process of its own that runs until it is asked to stop. */
import { spawn, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const BIN = fileURLToPath(new URL('../../bin/footbridge.mjs', import.meta.url))

export interface RunningCommand {
  /** Everything on standard output up to now, and on standard error. */
  readonly out: () => string
  readonly err: () => string
  /** Asks it to stop. @returns the exit code. */
  stop(): Promise<number | null>
}

/** @param untilPrinted what it prints last when it has started. @throws Error with what it said when it ends before that. */
export async function runCommand(args: readonly string[], untilPrinted: string, env: Record<string, string> = {}): Promise<RunningCommand> {
  const child: ChildProcess = spawn(process.execPath, [BIN, ...args], { env: { PATH: process.env['PATH'] ?? '', ...env } })
  let out = ''
  let err = ''
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => reject(new Error(`it ended with ${code}: ${err}${out}`)))
    child.stderr?.on('data', (chunk: Buffer) => (err += chunk.toString()))
    child.stdout?.on('data', (chunk: Buffer) => {
      out += chunk.toString()
      if (out.includes(untilPrinted)) resolve()
    })
  })
  return {
    out: () => out,
    err: () => err,
    stop() {
      child.kill('SIGTERM')
      return ended
    },
  }
}
