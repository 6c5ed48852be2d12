/**
 * When the network half is loaded, started and stopped, and at which bridge it logs in. One at a time.
 * Next: network.ts (the half itself). Not here: in which tab it runs (tabs.ts).
 */
import { loadChunk } from '../chunk.ts'
import type { Network } from '../network.ts'
import { afterFirstPaint } from '../platform.ts'
import type { Keep } from './keep.ts'

export interface LifecycleParts {
  readonly keep: Keep
  /** Given by whoever opens, and then not changed by login links. Default: that of the page, or where this device was last. */
  readonly bridgeUrl: string | undefined
  readonly fetch: typeof fetch
  readonly random: () => number
  /** libp2p transports beside WebSocket and circuits; the browser's WebRTC when undefined. */
  readonly transports: readonly unknown[] | undefined
}

export interface Lifecycle {
  bridgeUrl(): string
  /** A login link names its bridge; the network half that is there belongs to the one before. */
  moveTo(bridgeUrl: string): Promise<void>
  isEnrolled(): Promise<boolean>
  /** Loaded, or being loaded; undefined: nobody has started it. */
  present(): Promise<Network> | undefined
  /** Ready to be asked at once. */
  ready(): Network | undefined
  start(): Promise<Network>
  stop(): Promise<void>
  /** Comes back by itself where this device is enrolled; gets ready for a login elsewhere. */
  resume(): Promise<void>
  /** Stops for good: `resume` does nothing more. */
  close(): Promise<void>
}

export async function createLifecycle({ keep, bridgeUrl: given, fetch, random, transports }: LifecycleParts): Promise<Lifecycle> {
  const { self, connection, now } = keep
  let bridgeUrl = await chooseBridge()
  let network: Promise<Network> | undefined
  let ready: Network | undefined
  let isClosed = false

  async function chooseBridge(): Promise<string> {
    const own = (given ?? globalThis.location?.origin ?? '').replace(/\/+$/, '')
    if (given !== undefined || (await self.enrolment(own))) return own
    return (await self.lastBridge()) ?? own
  }

  const isEnrolled = async (): Promise<boolean> => (await self.enrolment(bridgeUrl))?.loggedOut === false

  const start = (): Promise<Network> => {
    network ??= loadChunk(() => import('../network.ts')).then(async ({ createNetwork }) => {
      const made = await createNetwork({
        kept: keep,
        bridgeUrl,
        fetch,
        random,
        importFile: keep.importFile,
        ...(transports && { transports }),
      })
      keep.identity.set(await self.identity())
      ready = made
      return made
    })
    // A chunk that did not load is asked for again with the next try.
    network.catch(() => (network = undefined))
    return network
  }

  const stop = async (): Promise<void> => {
    const stopping = network
    network = undefined
    ready = undefined
    await stopping?.then(
      (made) => made.close(),
      () => undefined,
    )
  }

  return {
    bridgeUrl: () => bridgeUrl,
    async moveTo(next) {
      if (given !== undefined || next === bridgeUrl) return
      bridgeUrl = next
      await stop()
    },
    isEnrolled,
    present: () => network,
    ready: () => ready,
    start,
    stop,
    async resume() {
      if (!(await isEnrolled())) {
        // A login that was quicker says more.
        if (network === undefined) connection.set({ state: 'out' })
        await afterFirstPaint()
        if (!isClosed) await (await start()).prepare()
        return
      }
      connection.set({ state: 'arriving', step: 'reaching', stepStartedAt: now(), done: [] })
      await afterFirstPaint()
      if (isClosed) return
      await (await start()).login({ device: true })
    },
    async close() {
      isClosed = true
      await stop()
    },
  }
}
