/** Takes a login link's token out of the address bar. Next: opened-link.ts does it for the page that was opened, before anything else runs. */

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
