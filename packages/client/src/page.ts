/**
 * What the page tells about itself: looked at again, back from sleep, network gone or changed. Each is only a hint to look at the link now.
 */
export interface PageEvents {
  readonly wake: () => void
  readonly networkChanged: () => void
  readonly leave: () => void
}

export function watchPage(events: PageEvents): { stop(): void } {
  const stopping = new AbortController()
  const { signal } = stopping
  const onVisible = (): void => {
    if (document.visibilityState === 'visible') events.wake()
  }
  if (typeof document !== 'undefined') {
    document.addEventListener('visibilitychange', onVisible, { signal })
    // Chromium's page lifecycle: a frozen tab is thawed.
    document.addEventListener('resume', events.wake, { signal })
  }
  if (typeof globalThis.addEventListener === 'function') {
    globalThis.addEventListener('online', events.networkChanged, { signal })
    globalThis.addEventListener('pagehide', events.leave, { signal })
    globalThis.addEventListener('pageshow', events.wake, { signal })
  }
  const { connection } = (globalThis.navigator ?? {}) as Navigator & { connection?: EventTarget }
  connection?.addEventListener?.('change', events.networkChanged, { signal })
  return { stop: () => stopping.abort() }
}
