/**
 * The program's edge: arguments, environment, streams, signals and exit code. The only file that touches process.
 * Next: cli/program.ts for the commands, bridge.ts for what a bridge is made of.
 */
import { readFileSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { destination, type DestinationStream } from 'pino'
import { PinoPretty } from 'pino-pretty'
import type { Console } from './cli/console.ts'
import { runProgram } from './cli/program.ts'
import { STOP_DEADLINE_MS } from './limits.ts'

// Whatever is made from here on, files and sockets alike, is for this user alone.
process.umask(0o077)

// Small buffers are slices of a common slab, and what a peer leaves in its connection and its entry in libp2p's books (keys, addresses, PeerIDs) holds the
// whole slab. Node's slabs have 64 KiB: that was 50 KB for each idle peer. Slices are taken up to half a slab.
Buffer.poolSize = 4 * 1024

const { promise: stopRequested, resolve: requestStop } = Promise.withResolvers<string>()
let exitCode: number | undefined

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // The second Ctrl+C is from somebody who does not want to wait.
    if (exitCode !== undefined) process.exit(signal === 'SIGINT' ? 130 : 143)
    exitCode = 0
    requestStop(signal)
    leaveAtLatest()
  })
}

// Nobody knows what state a fault leaves behind: say it, let go of what can be let go of, and end with a failure, so that a supervisor starts afresh.
process.on('uncaughtException', (error) => {
  process.stderr.write(`footbridge: a fault, stopping: ${error.stack ?? error.message}\n`)
  const isFirst = exitCode === undefined
  exitCode = 1
  if (!isFirst) return
  requestStop('a fault')
  leaveAtLatest()
})

// A promise that failed unheard belongs to one connection or stream, and a stranger may have caused it: it must not end the bridge for all others.
process.on('unhandledRejection', (reason) => {
  process.stderr.write(
    `footbridge: a failure that nobody handled: ${reason instanceof Error ? (reason.stack ?? reason.message) : String(reason)}\n`,
  )
})

// `footbridge token list | head` closes the pipe early; that is no fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

function leaveAtLatest(): void {
  setTimeout(() => process.exit(exitCode ?? 1), STOP_DEADLINE_MS + 1_000).unref()
}

/** Readable at a terminal, JSON lines elsewhere; written at once, so that the last words before an exit are kept. */
function openLog(): DestinationStream {
  if (process.stderr.isTTY)
    return PinoPretty({ destination: 2, sync: true, colorize: true, ignore: 'pid,hostname', translateTime: 'HH:MM:ss' })
  return destination({ dest: 2, sync: true })
}

function readVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
  return version
}

const console: Console = {
  env: process.env,
  print: (text) => void process.stdout.write(text),
  complain: (text) => void process.stderr.write(text),
  isTerminal: process.stdout.isTTY,
  tempDir: tmpdir(),
  userId: process.getuid?.(),
  clock: Date.now,
  randomBytes: (length) => randomBytes(length),
  version: readVersion(),
  nodeVersion: process.versions.node,
  stopRequested,
}

const code = await runProgram(process.argv.slice(2), { console, openLog })
process.exitCode = Math.max(code, exitCode ?? 0)
// A timer or socket that somebody left open must not keep a finished command; output to pipes is written by then.
process.stdout.write('', () => process.exit())
