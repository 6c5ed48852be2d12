/**
 * One tab of a browser holds the peer: two nodes with one key would take each other's circuits. A Web Lock decides; a BroadcastChannel tells the
 * others to read the store again. Without Web Locks (insecure origins, Node) every tab leads: better two than none.
 */
export interface TabLeadEvents {
  /** This tab holds the peer from now on; once. */
  onLead(): void
  /** Another tab holds it; this one waits. */
  onFollow(): void
  /** Another tab has written something. */
  onChange(change: TabChange): void
}

/** `peer`: a conversation. `self`: identity, login or profile. `send`: a message waits for the tab that leads. */
export type TabChange = { readonly kind: 'peer' | 'send'; readonly peer: string } | { readonly kind: 'self' }

export interface TabLead {
  readonly leads: boolean
  /** Resolves once it is known whether this tab leads or follows for now. */
  readonly decided: Promise<void>
  tell(change: TabChange): void
  /** Lets the next tab lead. Idempotent. */
  close(): void
}

export interface TabParts {
  readonly locks: Pick<LockManager, 'request'> | undefined
  readonly channel: Pick<BroadcastChannel, 'postMessage' | 'close' | 'onmessage'> | undefined
}

export function browserTabParts(name: string): TabParts {
  return {
    locks: globalThis.navigator?.locks,
    channel: typeof BroadcastChannel === 'undefined' ? undefined : new BroadcastChannel(`footbridge ${name}`),
  }
}

export function createTabLead(name: string, parts: TabParts, events: TabLeadEvents): TabLead {
  const { locks, channel } = parts
  const closing = new AbortController()
  const released = Promise.withResolvers<void>()
  const decided = Promise.withResolvers<void>()
  let leads = false

  const lead = (): Promise<void> => {
    if (closing.signal.aborted) return Promise.resolve()
    leads = true
    events.onLead()
    decided.resolve()
    return released.promise
  }

  const compete = async (): Promise<void> => {
    if (locks === undefined) return void lead()
    const lock = `footbridge ${name}`
    const wonAtOnce = await locks.request(lock, { ifAvailable: true }, async (granted) => {
      if (granted === null) return false
      await lead()
      return true
    })
    if (wonAtOnce || closing.signal.aborted) return
    events.onFollow()
    decided.resolve()
    await locks.request(lock, { signal: closing.signal }, lead)
  }
  compete().catch((error: unknown) => {
    decided.resolve()
    if (!closing.signal.aborted) throw error
  })

  if (channel) channel.onmessage = (event: MessageEvent<TabChange>) => events.onChange(event.data)

  return {
    get leads() {
      return leads
    },
    decided: decided.promise,
    tell(change) {
      if (!closing.signal.aborted) channel?.postMessage(change)
    },
    close() {
      if (closing.signal.aborted) return
      closing.abort()
      released.resolve()
      decided.resolve()
      leads = false
      channel?.close()
    },
  }
}
