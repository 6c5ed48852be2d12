/**
 * This tab among the others: what begins and ends when it leads or follows, what it shows of what the leader sees, and where an act is done.
 * Next: tabs/lead.ts (who leads), tabs/leader-end.ts and tabs/follower-end.ts (what they say to each other).
 */
import { FootbridgeError } from '@footbridge/shared/errors'
import type { Readable, TabRole } from '../api.ts'
import { writable } from '../observable.ts'
import { createFollowerEnd, type FollowerEnd } from '../tabs/follower-end.ts'
import { createTabLead, type TabParts } from '../tabs/lead.ts'
import { createLeaderEnd, type LeaderEnd } from '../tabs/leader-end.ts'
import type { ActName, Acts, Mirror, TabChange, TabMessage } from '../tabs/messages.ts'
import type { Keep } from './keep.ts'
import type { Lifecycle } from './lifecycle.ts'

export interface TabsParts {
  readonly databaseName: string
  readonly keep: Keep
  readonly lifecycle: Lifecycle
  readonly acts: Acts
  readonly tabParts: TabParts
}

export interface Tabs {
  readonly role: Readable<TabRole>
  /** Resolves once it is known who leads, and what a closed page left behind is swept. */
  readonly opened: Promise<void>
  tell(message: TabMessage): void
  /** Does it here, or has the tab do it that leads. @throws FootbridgeError as the act, `aborted` once closed */
  act<Name extends ActName>(name: Name, ...args: Parameters<Acts[Name]>): Promise<Awaited<ReturnType<Acts[Name]>>>
  /** Somebody looks at this tab: it may be another that leads, hidden and slow. */
  wake(): void
  /** As the tab that leads has it. */
  bridgeUrl(): string
  addresses(): readonly string[]
  /** Acts are refused from now on. */
  refuse(): void
  close(): void
}

export function createTabs({ databaseName, keep, lifecycle, acts, tabParts }: TabsParts): Tabs {
  const { blobs, connection, conversations, findable, log, notices, people, rooms, transfers } = keep
  const role = writable<TabRole>('leads')
  const ownAddresses = (): readonly string[] => lifecycle.ready()?.addresses() ?? []
  let isOpening = true
  let isClosed = false
  let swept: Promise<unknown> = Promise.resolve()
  let leader: LeaderEnd | undefined
  let follower: FollowerEnd | undefined
  let mirrored: Pick<Mirror, 'addresses' | 'bridgeUrl'> = {}

  const resume = (): void => {
    lifecycle.resume().catch((error: unknown) => {
      // What the supervisor refused stands in `connection` already; this is a chunk that did not load.
      if (connection.get().state === 'arriving')
        connection.set({
          state: 'away',
          code: error instanceof FootbridgeError ? error.code : 'unreachable',
          attempt: 1,
          retryAt: keep.now(),
        })
    })
  }

  const lead = createTabLead(databaseName, tabParts, {
    onLead() {
      follower?.stop()
      follower = undefined
      mirrored = {}
      role.set('leads')
      people.mirror(undefined)
      findable.set({ ...findable.get(), places: [] })
      rooms.mirror(undefined)
      leader = createLeaderEnd(
        {
          connection,
          notices: notices.current,
          findable,
          log: log.lines,
          peers: people.list,
          rooms: rooms.list,
          transfers,
          addresses: ownAddresses,
          bridgeUrl: () => lifecycle.bridgeUrl(),
        },
        acts,
        (message) => lead.tell(message),
      )
      // The first tab of a browser: nothing is being written, so what no file has is a rest of a page that was closed. Without locks nobody knows.
      if (isOpening && tabParts.locks !== undefined) swept = blobs.sweep().catch(() => undefined)
      // What another tab wrote while it led.
      else if (!isOpening) swept = Promise.all([people.load(), rooms.load()]).catch(() => undefined)
      void swept.then(resume)
    },
    onFollow() {
      leader?.stop()
      leader = undefined
      role.set('follows')
      connection.set({ state: 'other-tab' })
      follower = createFollowerEnd(crypto.randomUUID(), (message) => lead.tell(message), showMirror)
      // Stolen: what still runs here must not stand in the leader's way, and not show over what that one tells.
      const asking = follower
      void lifecycle
        .stop()
        .catch(() => undefined)
        .then(() => asking === follower && asking.ask(true))
    },
    onAsk: () => follower?.ask(),
    onMessage(message) {
      leader?.take(message)
      follower?.take(message)
      if (isChange(message)) void reread(message).catch(() => undefined)
    },
  })

  // Who logs in right after opening must not be told of another tab that is not there.
  const settle = async (): Promise<void> => {
    await lead.decided
    isOpening = false
    await swept
  }

  async function reread(change: TabChange): Promise<void> {
    const network = lifecycle.present()
    switch (change.kind) {
      case 'send':
        return void network?.then((made) => made.outgoing(change.peer))
      case 'blobs':
        return void network?.then((made) => made.blobsChanged())
      case 'peer':
        await conversations.reload(change.peer)
        return people.load()
      case 'room':
        return rooms.reload(change.room)
      case 'self':
        keep.profile.set(await keep.self.profile())
        keep.identity.set(await keep.self.identity())
        void lifecycle.present()?.then((made) => made.profileChanged())
    }
  }

  function showMirror(mirror: Mirror): void {
    mirrored = {
      ...mirrored,
      ...(mirror.addresses && { addresses: mirror.addresses }),
      ...(mirror.bridgeUrl && { bridgeUrl: mirror.bridgeUrl }),
    }
    if (mirror.log) log.show(mirror.log)
    if (mirror.notices) notices.current.set(mirror.notices)
    if (mirror.findable) findable.set(mirror.findable)
    if (mirror.peers) people.mirror(mirror.peers)
    if (mirror.rooms) rooms.mirror(mirror.rooms)
    for (const transfer of mirror.transfers ?? []) transfers.report(transfer.cid, transfer)
    if (mirror.connection) connection.set(mirror.connection)
  }

  return {
    role,
    opened: settle(),
    tell: (message) => lead.tell(message),
    async act<Name extends ActName>(name: Name, ...args: Parameters<Acts[Name]>): Promise<Awaited<ReturnType<Acts[Name]>>> {
      if (isClosed) throw new FootbridgeError('aborted', 'Footbridge was closed')
      if (follower) return follower.call(name, ...args)
      const own = acts[name] as (...own: Parameters<Acts[Name]>) => Promise<Awaited<ReturnType<Acts[Name]>>>
      return own(...args)
    },
    wake: () => void (follower ? follower.call('retryNow').catch(() => undefined) : lifecycle.present()?.then((made) => made.wake())),
    bridgeUrl: () => mirrored.bridgeUrl ?? lifecycle.bridgeUrl(),
    addresses: () => mirrored.addresses ?? ownAddresses(),
    refuse: () => (isClosed = true),
    close() {
      isClosed = true
      leader?.stop()
      follower?.stop()
      lead.close()
    },
  }
}

function isChange(message: TabMessage): message is TabChange {
  return (
    message.kind === 'peer' || message.kind === 'send' || message.kind === 'self' || message.kind === 'blobs' || message.kind === 'room'
  )
}
