/**
 * What a command may do to the world it was started from: the smallest part of `process`, so that commands run in tests as they run in a terminal.
 */
export interface Console {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Answers go here; `--json` and nothing else when asked for. */
  print(text: string): void
  /** What is not the answer: warnings, hints, errors. */
  complain(text: string): void
  /** Whether answers are read by a person at a terminal. */
  readonly isTerminal: boolean
  readonly tempDir: string
  readonly userId: number | undefined
  readonly clock: () => number
  readonly randomBytes: (length: number) => Uint8Array
  readonly version: string
  readonly nodeVersion: string
  /** Resolves with the signal's name when the person or the system asks to stop. */
  readonly stopRequested: Promise<string>
}

/** Ends a command with exit code 1; `message` is one whole line for a person, saying what to do. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
}
