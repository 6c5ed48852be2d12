/**
 * One tab of a browser holds the peer: two nodes with one key would take each other's circuits. Drives tab-state.ts with a Web Lock and a
 * BroadcastChannel. Without Web Locks (insecure origins) every tab leads: better two than none.
 * Next: leader-end.ts and follower-end.ts, what the tabs say to each other once it is known who leads.
 */
import type { TabMessage } from './messages.ts'
import { ASK_EVERY_MS, decideTab, type TabEffect, type TabEvent, type TabState } from './tab-state.ts'

export interface TabLeadEvents {
  /** This tab holds the peer from now on. */
  onLead(): void
  /** Another tab holds it, from the start or because it stole the lock from this one. */
  onFollow(): void
  /** Time to ask the leader whether it is there. */
  onAsk(): void
  onMessage(message: TabMessage): void
}

export interface TabLead {
  readonly leads: boolean
  /** Resolves once it is known whether this tab leads or follows for now. */
  readonly decided: Promise<void>
  /** Tells all other tabs. */
  tell(message: TabMessage): void
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

export function createTabLead(name: string, { locks, channel }: TabParts, events: TabLeadEvents): TabLead {
  const lock = `footbridge ${name}`
  const decided = Promise.withResolvers<void>()
  let current: TabState = { state: 'asking' }
  let release: () => void = () => undefined
  /** Ends the wait in line. */
  let queue = new AbortController()
  let timer: ReturnType<typeof setInterval> | undefined

  const feed = (event: TabEvent): void => {
    const { next, effects } = decideTab(current, event)
    current = next
    for (const effect of effects) run(effect)
    if (effects.includes('lead') || effects.includes('follow') || effects.includes('release')) decided.resolve()
  }

  /** Holds the lock until it is released; rejects when it is stolen. */
  const hold = (): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>()
    release = resolve
    feed({ type: 'granted' })
    if (current.state === 'closed') resolve()
    return promise
  }

  const request = (options: LockOptions): void => {
    if (locks === undefined) return
    locks
      .request(lock, options, async (granted) => {
        // Not before whoever made this has it: Node calls back at once.
        await Promise.resolve()
        if (granted === null) feed({ type: 'refused' })
        else await hold()
      })
      // Stolen, or the wait in line was called off.
      .catch((error: unknown) => {
        if (!(error instanceof DOMException) || error.name !== 'AbortError') throw error
        if (options.signal?.aborted !== true) feed({ type: 'stolen' })
      })
  }

  const run = (effect: TabEffect): void => {
    switch (effect) {
      case 'lead':
        clearInterval(timer)
        queue.abort()
        return events.onLead()
      case 'follow':
        clearInterval(timer)
        timer = setInterval(() => feed({ type: 'tick' }), ASK_EVERY_MS)
        return events.onFollow()
      case 'queue':
        queue = new AbortController()
        return request({ signal: queue.signal })
      case 'ask':
        return events.onAsk()
      case 'steal':
        return request({ steal: true })
      case 'release':
        clearInterval(timer)
        queue.abort()
        release()
        channel?.close()
    }
  }

  if (channel)
    channel.onmessage = ({ data }: MessageEvent<TabMessage>) => {
      if (data.kind === 'here' || data.kind === 'mirror' || data.kind === 'reply') feed({ type: 'heard' })
      events.onMessage(data)
    }
  // Not before whoever made this has it.
  if (locks === undefined) queueMicrotask(() => feed({ type: 'granted' }))
  else request({ ifAvailable: true })

  return {
    get leads() {
      return current.state === 'leading'
    },
    decided: decided.promise,
    tell(message) {
      if (current.state !== 'closed') channel?.postMessage(message)
    },
    close: () => feed({ type: 'close' }),
  }
}
