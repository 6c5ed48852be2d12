/**
 * The streams that a device keeps open to its bridge while it is reachable: presence (who else is here), control (what the bridge has to tell), and that of
 * announcing.ts.
 * Not here: the link under them (first-hop/), what follows from what is told (bridge-link.ts).
 */
import type { Connection } from '@libp2p/interface'
import { createControlClient, type ControlClient } from '@footbridge/protocols/control/control-client'
import { createPresenceClient, type PresenceClient } from '@footbridge/protocols/presence/presence-client'
import { CONTROL_PROTOCOL, PRESENCE_PROTOCOL } from '@footbridge/shared/protocol-ids'
import type { ControlFrame } from '@footbridge/shared/wire/control-frame'
import type { Announcing } from './announcing.ts'
import type { People } from './people.ts'

const STREAM_TIMEOUT_MS = 15_000
/** A presence stream that ends while the link lives means that the bridge forgot us; at once would be a race with the closing link. */
const PRESENCE_GRACE_MS = 1_000
/** The list is kept over a short loss, and emptied when it says nothing any more. */
const STALE_LIST_MS = 5_000

export interface BridgeStreamsParts {
  readonly current: () => Connection | undefined
  readonly people: Pick<People, 'presence' | 'gone'>
  readonly announcing: Announcing
  readonly hello: () => { readonly name: string; readonly device: 'browser' | 'phone'; readonly now: number }
  /** Milliseconds that never go back. */
  readonly steady: () => number
  readonly onControl: (frame: ControlFrame, sinceHelloMs: number) => void
  /** The bridge tells of these peers anew. */
  readonly onNews: (peers: readonly string[]) => void
  /** The bridge no longer lists these peers. */
  readonly onGone: (peers: readonly string[]) => void
  /** The link lives, and the bridge knows no session. */
  readonly onForgotten: () => void
}

export interface BridgeStreams {
  /** Over the current link, in place of those that were open. */
  open(): void
  profileChanged(): void
  close(): void
  /** The device is out: nobody is here any more. */
  forget(): void
  stop(): void
}

export function createBridgeStreams({ current, people, announcing, hello, steady, ...on }: BridgeStreamsParts): BridgeStreams {
  let presence: PresenceClient | undefined
  let control: ControlClient | undefined
  let graceTimer: ReturnType<typeof setTimeout> | undefined
  let staleTimer: ReturnType<typeof setTimeout> | undefined
  let isStopped = false

  const clearTimers = (): void => {
    clearTimeout(graceTimer)
    clearTimeout(staleTimer)
  }

  const presenceEnded = (link: Connection): void => {
    presence = undefined
    clearTimers()
    if (isStopped) return
    graceTimer = setTimeout(() => {
      if (presence === undefined && link.status === 'open') on.onForgotten()
    }, PRESENCE_GRACE_MS)
    staleTimer = setTimeout(() => people.presence([], true), STALE_LIST_MS)
  }

  const openControl = async (link: Connection): Promise<void> => {
    control?.close()
    try {
      const stream = await link.newStream(CONTROL_PROTOCOL, { signal: AbortSignal.timeout(STREAM_TIMEOUT_MS) })
      const greetedAt = steady()
      const client = createControlClient(stream, {
        frame(frame) {
          // Told on a link that was left, it is this device that replaced itself.
          if (control === client && link === current()) on.onControl(frame, steady() - greetedAt)
        },
        // A bridge that has none says so by ending it. What tells of a lost session is the presence stream.
        ended: () => undefined,
      })
      control = client
      await client.hello(hello().now)
    } catch {
      // As above.
    }
  }

  const openPresence = async (link: Connection): Promise<void> => {
    presence?.close()
    presence = undefined
    try {
      const stream = await link.newStream(PRESENCE_PROTOCOL, { signal: AbortSignal.timeout(STREAM_TIMEOUT_MS) })
      const client = createPresenceClient(stream, {
        peers(rows, reset) {
          people.presence(rows, reset)
          if (!reset) on.onNews(rows.map((row) => row.peer))
        },
        gone(peers) {
          people.gone(peers)
          on.onGone(peers)
        },
        ended: () => {
          if (presence === client) presenceEnded(link)
        },
      })
      presence = client
      clearTimeout(staleTimer)
      const { name, device } = hello()
      await client.hello(name, device)
    } catch {
      if (presence === undefined) presenceEnded(link)
    }
  }

  return {
    open() {
      const link = current()
      if (link === undefined) return
      void openPresence(link)
      void openControl(link)
      void announcing.open(link)
    },
    profileChanged() {
      const { name, device } = hello()
      presence?.hello(name, device).catch(() => undefined)
    },
    close() {
      presence?.close()
      control?.close()
      announcing.close()
    },
    forget() {
      clearTimers()
      people.presence([], true)
    },
    stop() {
      isStopped = true
      announcing.close()
      clearTimers()
    },
  }
}
