/**
 * Takes the login link that opened this page out of the address bar as soon as this file runs: main.ts imports it before anything else.
 * The link is handed on once, in memory. Not here: what is done with it (lib/state/arrival.svelte.ts).
 */
import { takeLoginLink } from './login-link.ts'

let taken = takeLoginLink(globalThis)

/** The link that opened this page, the first time it is asked for. */
export function openedLink(): string | undefined {
  const link = taken
  taken = undefined
  return link
}
