/**
 * Parts of the program that are loaded when they are wanted. A network that changes, or is lost for a moment, tears every request under way (Chromium:
 * ERR_NETWORK_CHANGED), and one part that is missing is an app that does not work; so what did not come is asked for again.
 * Not here: what is kept for a start without any network (the app's service worker).
 */
import { FootbridgeError } from '@footbridge/shared/errors'

/** Before each further try. Longer than a change of network takes; shorter in all than somebody waits before they load the page again. */
const WAITS_MS = [200, 800, 2_500] as const

/**
 * @param load `() => import('…')`, so that a bundler sees what it is
 * @throws FootbridgeError `unreachable` when it did not come after all tries
 */
export async function loadChunk<Module>(
  load: () => Promise<Module>,
  pause: (ms: number) => Promise<void> = (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
): Promise<Module> {
  for (const waitMs of WAITS_MS) {
    try {
      return await load()
    } catch {
      await pause(waitMs)
    }
  }
  return load().catch((cause: unknown) => {
    throw new FootbridgeError('unreachable', 'a part of the app did not load', { cause })
  })
}
