/**
 * One option of a command: its text as a value, or one line for a person that names the flag.
 */
import { CommandError } from './console.ts'

/** @throws CommandError */
export function readOption<Value>(flag: string, text: string, parse: (text: string) => Value): Value {
  try {
    return parse(text)
  } catch (error) {
    throw new CommandError(`${flag} ${JSON.stringify(text)} ${error instanceof Error ? error.message : String(error)}`)
  }
}
