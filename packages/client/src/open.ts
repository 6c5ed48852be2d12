/**
 * The SDK's front door: opens what is kept, gives it at once, and loads the network half afterwards. Imports no libp2p, so that a page shows its
 * conversations before, and without, any of it. Here the parts are put together, and what the app sees is made of them.
 * Next, in the order in which they are made: opening/keep.ts (what is there without a network), opening/lifecycle.ts (when the network half runs),
 * opening/acts.ts (what can be done), opening/tabs.ts (which tab does it).
 */
import { FootbridgeError } from '@footbridge/shared/errors'
import type { Footbridge, Identity } from './api.ts'
import { askBridgeNetwork } from './bridge-network.ts'
import { browserDevice, createCheckUp } from './check-up/runner.ts'
import { loadChunk } from './chunk.ts'
import { createActs } from './opening/acts.ts'
import { openKeep } from './opening/keep.ts'
import { createLifecycle } from './opening/lifecycle.ts'
import { createTabs } from './opening/tabs.ts'
import { watchPage } from './page.ts'
import { askToPersist, storageUse } from './platform.ts'
import type { IdentityRecord } from './store/database.ts'
import { browserTabParts, type TabParts } from './tabs/lead.ts'

export interface OpenOptions {
  /** The bridge's origin. Default: that of the page. */
  readonly bridgeUrl?: string
  /** Default: `footbridge`. One database is one device. */
  readonly databaseName?: string
  readonly now?: () => number
  /** Milliseconds that never go back. */
  readonly steady?: () => number
  readonly random?: () => number
  readonly fetch?: typeof fetch
  readonly tabs?: TabParts
  /** libp2p transports beside WebSocket and circuits; the browser's WebRTC when undefined. */
  readonly transports?: readonly unknown[]
}

const DEFAULT_DATABASE = 'footbridge'

/** @throws when the browser gives no IndexedDB (some private windows). */
export async function openFootbridge(options: OpenOptions = {}): Promise<Footbridge> {
  const { databaseName = DEFAULT_DATABASE, now = Date.now, steady = () => performance.now(), random = Math.random } = options
  const fetchFrom = options.fetch ?? globalThis.fetch.bind(globalThis)

  const keep = await openKeep(
    databaseName,
    { now, steady },
    {
      changed: (change) => tabs.tell(change),
      outgoing(peer) {
        const network = lifecycle.present()
        if (network) void network.then((made) => made.outgoing(peer))
        else tabs.tell({ kind: 'send', peer })
      },
      // A network that did not load has nothing to serve.
      blobsChanged: async () =>
        lifecycle
          .present()
          ?.then((made) => made.blobsChanged())
          .catch(() => undefined),
      onLost: () => void close(),
    },
  )
  const { blobs, connection, conversations, findable, messages, people, profile, rooms, self, transfers } = keep
  const lifecycle = await createLifecycle({
    keep,
    bridgeUrl: options.bridgeUrl,
    fetch: fetchFrom,
    random,
    transports: options.transports,
  })

  const [isEnrolled] = await Promise.all([lifecycle.isEnrolled(), keep.load()])
  if (isEnrolled) connection.set({ state: 'arriving', step: 'reaching', stepStartedAt: now(), done: [] })

  const tabs = createTabs({
    databaseName,
    keep,
    lifecycle,
    acts: createActs(keep, lifecycle, (change) => tabs.tell(change)),
    tabParts: options.tabs ?? browserTabParts(databaseName),
  })
  await tabs.opened

  const checkUp = createCheckUp({
    bridgeUrl: () => tabs.bridgeUrl(),
    keptSession: async (url) => (await self.enrolment(url))?.session,
    connection,
    peers: people.list,
    fetch: fetchFrom,
    now,
    steady,
    device: browserDevice,
  })
  const page = watchPage({
    leave: () => lifecycle.ready()?.leave(),
    wake: () => tabs.wake(),
    networkChanged: () => void lifecycle.present()?.then((made) => made.networkChanged()),
  })

  let closed: Promise<void> | undefined
  async function stop(): Promise<void> {
    tabs.refuse()
    page.stop()
    keep.stopImports()
    checkUp.stop()
    await lifecycle.close()
    tabs.close()
    keep.close()
  }
  const close = (): Promise<void> => (closed ??= stop())

  const failTransfer = (cid: string, error: unknown): void =>
    transfers.report(cid, { state: 'failed', error: error instanceof FootbridgeError ? error.code : 'internal' })

  return {
    connection,
    notices: keep.notices.current,
    tab: tabs.role,
    peers: people.list,
    log: keep.log.lines,
    profile,
    findable,
    conversations,
    blobs: {
      transfer: (cid) => transfers.of(cid),
      fetch: (offer, sources) => void tabs.act('fetch', offer, sources).catch((error: unknown) => failTransfer(offer.cid, error)),
      pause: (cid) => void tabs.act('pause', cid).catch(() => undefined),
      open: (offer) => transfers.open(offer),
      async remove(cid) {
        await tabs.act('removeBlob', cid)
        await transfers.remove(cid)
      },
      list: () => transfers.list(),
    },
    rooms: {
      list: rooms.list,
      topics: rooms.topics,
      in: (room) => rooms.in(room),
      join: (name) => tabs.act('joinRoom', name),
      leave: (room) => tabs.act('leaveRoom', room),
      sendText: (room, text) => tabs.act('sayInRoom', room, text),
      sendFile: (room, file) => tabs.act('offerInRoom', room, file),
      fetchFile: (room, messageId) => tabs.act('fetchInRoom', room, messageId),
      markRead: (room) => tabs.act('readRoom', room),
      clear: (room) => tabs.act('clearRoom', room),
      setTopics: (topics) => tabs.act('setRoomTopics', topics),
    },
    identity() {
      const record = keep.identity.get()
      return record && toIdentity(record)
    },
    async login(credential) {
      await tabs.act('login', credential)
      void askToPersist()
    },
    logout: () => tabs.act('logout'),
    async setProfile(next) {
      await self.setProfile(next)
      profile.set(next)
      tabs.tell({ kind: 'self' })
      await lifecycle.present()?.then((made) => made.profileChanged())
    },
    setVisibility: (visibility) => tabs.act('setVisibility', visibility),
    dial: (target) => tabs.act('dial', target),
    retryNow: () => void tabs.act('retryNow').catch(() => undefined),
    upgrade: (peer) => void tabs.act('upgrade', peer).catch(() => undefined),
    storageUse: () => storageUse(blobs, messages),
    checkUp,
    bridgeUrl: () => tabs.bridgeUrl(),
    bridgeNetwork: () => askBridgeNetwork({ connection: () => connection.get(), bridgeUrl: () => tabs.bridgeUrl(), fetch: fetchFrom }),
    addresses: () => tabs.addresses(),
    importIdentity: (exported, passphrase) => tabs.act('importIdentity', exported, passphrase),
    forget: () => tabs.act('forget'),
    close,
  }
}

function toIdentity(record: IdentityRecord): Identity {
  return {
    peer: record.peer,
    async exportWith(passphrase) {
      const { exportIdentity } = await loadChunk(() => import('./identity-export.ts'))
      return exportIdentity(record, passphrase)
    },
  }
}
