/**
 * Takes a login link's token out of the address bar before anything else runs: main.ts imports this file first.
 * The token is handed on once, in memory. Not here: what is done with it (lib/state/arrival.svelte.ts).
 */

/** Cuts `#token=…` from the address at once, without a new history entry. @returns the whole link as it was, or undefined. */
export function takeLoginLink(page: {
  location: Pick<Location, 'href' | 'hash'>
  history: Pick<History, 'replaceState' | 'state'>
}): string | undefined {
  const { href, hash } = page.location
  if (!/[#&]token=/.test(hash)) return undefined
  page.history.replaceState(page.history.state, '', href.slice(0, href.length - hash.length))
  return href
}

let taken = takeLoginLink(globalThis)

/** The link that opened this page, the first time it is asked for. */
export function openedLink(): string | undefined {
  const link = taken
  taken = undefined
  return link
}
