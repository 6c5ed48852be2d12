/**
 * Keeps the app itself on the device, so that a reload works without a network: every built file is kept at install, a navigation falls back to index.html.
 * It never touches what the bridge answers (/api and the rest of BRIDGE_PATHS). A new version waits until the page says `use-now`
 * (lib/state/updates.svelte.ts).
 */
import { cleanupOutdatedCaches, getCacheKeyForURL, matchPrecache, precache } from 'workbox-precaching'

declare const self: ServiceWorkerGlobalScope & { readonly __WB_MANIFEST: (string | { url: string; revision: string | null })[] }

const BRIDGE_PATHS = /^\/(api|ws|ipfs|p|metrics|healthz?|info)(\/|$)/

cleanupOutdatedCaches()
precache(self.__WB_MANIFEST)

self.addEventListener('fetch', (event) => {
  const { request } = event
  const url = new URL(request.url)
  if (request.method !== 'GET' || url.origin !== self.location.origin || BRIDGE_PATHS.test(url.pathname)) return
  const kept = request.mode === 'navigate' ? '/index.html' : url.pathname
  if (getCacheKeyForURL(kept) === undefined) return
  event.respondWith(matchPrecache(kept).then((response) => response ?? fetch(request)))
})

self.addEventListener('activate', (event) => {
  // The page that installed the first version is served from it too, without being loaded again.
  event.waitUntil(self.clients.claim())
})

self.addEventListener('message', (event) => {
  if ((event.data as { type?: unknown } | null)?.type === 'use-now') void self.skipWaiting()
})
