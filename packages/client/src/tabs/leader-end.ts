/**
 * The leading tab's side of the talk between tabs: shows the others what it sees while there are others, and does what they ask.
 * Not here: who leads (lead.ts), what the acts are (opening/acts.ts).
 */
import { FootbridgeError } from '@footbridge/shared/errors'
import type { BridgeNotices, ConnectionState, Findable, LogEntry, Peer, Readable, Transfer } from '../api.ts'
import type { Transfers } from '../blobs/transfers.ts'
import type { Room } from '../rooms/room.ts'
import type { Acts, Mirror, TabMessage } from './messages.ts'

/** Changes go out together; a person sees ten updates a second as continuous. */
const MIRROR_EVERY_MS = 100
/** Nobody asked for so long: nobody follows. */
const FOLLOWED_MS = 10_000
/** Acts that run at a time for all tabs. */
const MAX_ACTS = 64

export interface Shown {
  readonly connection: Readable<ConnectionState>
  readonly notices: Readable<BridgeNotices>
  readonly findable: Readable<Findable>
  readonly log: Readable<readonly LogEntry[]>
  readonly peers: Readable<readonly Peer[]>
  readonly rooms: Readable<readonly Room[]>
  readonly transfers: Pick<Transfers, 'onReport' | 'all'>
  readonly addresses: () => readonly string[]
  readonly bridgeUrl: () => string
}

type Watched = 'connection' | 'notices' | 'findable' | 'log' | 'peers' | 'rooms'

export interface LeaderEnd {
  take(message: TabMessage): void
  stop(): void
}

export function createLeaderEnd(shown: Shown, acts: Acts, tell: (message: TabMessage) => void): LeaderEnd {
  let followedUntilTick = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  let running = 0
  let isStopped = false
  let whole = false
  let dirty = new Set<Watched>()
  const transfers = new Map<string, Transfer>()
  let sent: ReadonlyMap<string, Peer> = new Map()

  const isFollowed = (): boolean => performance.now() < followedUntilTick

  const plan = (): void => {
    if (isFollowed() && !isStopped) timer ??= setTimeout(flush, MIRROR_EVERY_MS)
  }

  const flush = (): void => {
    timer = undefined
    const connection = whole || dirty.has('connection')
    const mirror: Mirror = {
      ...(connection && { connection: shown.connection.get(), addresses: shown.addresses(), bridgeUrl: shown.bridgeUrl() }),
      ...((whole || dirty.has('notices')) && { notices: shown.notices.get() }),
      ...((whole || dirty.has('findable')) && { findable: shown.findable.get() }),
      ...((whole || dirty.has('log')) && { log: shown.log.get() }),
      ...((whole || dirty.has('peers')) && { peers: peersChange() }),
      ...((whole || dirty.has('rooms')) && { rooms: shown.rooms.get() }),
      ...(transfers.size > 0 && { transfers: [...transfers.values()] }),
    }
    whole = false
    dirty = new Set()
    transfers.clear()
    tell({ kind: 'mirror', mirror })
  }

  const peersChange = (): NonNullable<Mirror['peers']> => {
    const present = new Map(shown.peers.get().map((peer) => [peer.id, peer]))
    const changed = [...present.values()].filter((peer) => whole || !isSame(sent.get(peer.id), peer))
    const gone = whole ? [] : [...sent.keys()].filter((id) => !present.has(id))
    sent = present
    return { whole, changed, gone }
  }

  const watch = (what: Watched): (() => void) =>
    shown[what].subscribe(() => {
      dirty.add(what)
      plan()
    })
  const ends = (['connection', 'notices', 'findable', 'log', 'peers', 'rooms'] as const).map(watch)
  ends.push(
    shown.transfers.onReport((transfer) => {
      if (!isFollowed()) return
      transfers.set(transfer.cid, transfer)
      plan()
    }),
  )
  // Who followed the tab before this one learns at once that somebody leads again.
  tell({ kind: 'here' })

  const serve = async (call: Extract<TabMessage, { kind: 'call' }>): Promise<void> => {
    const address = { kind: 'reply', to: call.from, id: call.id } as const
    try {
      // Another version of the app may know more acts.
      if (!Object.hasOwn(acts, call.act)) throw new FootbridgeError('bad_request', 'this tab does not know how')
      if (running >= MAX_ACTS) throw new FootbridgeError('rate_limited', 'too many acts at a time')
      running++
      const act = acts[call.act] as (...args: readonly unknown[]) => Promise<unknown>
      const value = await act(...call.args).finally(() => running--)
      if (!isStopped) tell({ ...address, value })
    } catch (error) {
      const { code, message } =
        error instanceof FootbridgeError ? error : { code: 'internal' as const, message: 'a fault in the other tab' }
      if (!isStopped) tell({ ...address, code, message })
    }
  }

  return {
    take(message) {
      if (message.kind === 'call') return void serve(message)
      if (message.kind !== 'ask') return
      followedUntilTick = performance.now() + FOLLOWED_MS
      if (!message.fresh) return tell({ kind: 'here' })
      whole = true
      for (const transfer of shown.transfers.all()) transfers.set(transfer.cid, transfer)
      clearTimeout(timer)
      flush()
    },
    stop() {
      isStopped = true
      clearTimeout(timer)
      for (const end of ends) end()
    },
  }
}

/** Peers are made anew with each list; what they say rarely changes. */
function isSame(before: Peer | undefined, after: Peer): boolean {
  return before !== undefined && JSON.stringify(before) === JSON.stringify(after)
}
