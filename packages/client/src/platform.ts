/**
 * What is asked of the browser itself: room, the kind of device, the first paint. Nothing here is ever missing badly: a browser without one gives a default.
 */
import type { StorageUse } from './api.ts'
import type { BlobStore } from './store/blobs.ts'
import type { MessageStore } from './store/messages.ts'

export async function storageUse(blobs: BlobStore, messages: MessageStore): Promise<StorageUse> {
  const [estimate, persistent, records, count] = await Promise.all([
    globalThis.navigator?.storage?.estimate?.(),
    globalThis.navigator?.storage?.persisted?.(),
    blobs.list(),
    messages.count(),
  ])
  const blobBytes = records.reduce((sum, record) => sum + (record.state === 'complete' ? record.size : 0), 0)
  return {
    usedBytes: estimate?.usage ?? blobBytes,
    quotaBytes: estimate?.quota,
    persistent: persistent ?? false,
    blobs: records.length,
    blobBytes,
    messages: count,
  }
}

/** The browser may throw away what is not persistent when the disk is full; some ask the person, so this follows a login. */
export async function askToPersist(): Promise<void> {
  await globalThis.navigator?.storage?.persist?.().catch(() => false)
}

/** Browsers tell little; what they tell separates a phone's radio from a desk's cable. */
export function networkName(): string {
  const { connection } = (globalThis.navigator ?? {}) as Navigator & { connection?: { type?: string; effectiveType?: string } }
  return connection?.type ?? connection?.effectiveType ?? 'network'
}

export function isPhone(): boolean {
  const data = (globalThis.navigator as Navigator & { userAgentData?: { mobile?: boolean } }).userAgentData
  return data?.mobile ?? /Mobi|Android/i.test(globalThis.navigator?.userAgent ?? '')
}

/** A hidden tab paints nothing, so there is a limit to the wait. */
export function afterFirstPaint(): Promise<void> {
  const { requestAnimationFrame } = globalThis as Partial<typeof globalThis>
  if (requestAnimationFrame === undefined) return Promise.resolve()
  return new Promise((resolve) => {
    setTimeout(resolve, 200)
    requestAnimationFrame(() => setTimeout(resolve, 0))
  })
}
