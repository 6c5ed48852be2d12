/** Opens the SDK in a chunk of its own after the first paint; in a dev build `?fake` opens the stand-in of lib/fake instead. */
import type { Footbridge } from '@footbridge/client/api'
import { loadChunk } from '@footbridge/client/chunk'

export async function openClient(page: Pick<Location, 'search'>): Promise<Footbridge> {
  if (import.meta.env.DEV) {
    const scenario = new URLSearchParams(page.search).get('fake')
    if (scenario !== null) {
      const { createFakeFootbridge } = await import('./fake/fake-footbridge.ts')
      return createFakeFootbridge(scenario)
    }
  }
  const { openFootbridge } = await loadChunk(() => import('@footbridge/client/open'))
  // No bridge is named: it is this page's, or the one that a login link names.
  return openFootbridge()
}
