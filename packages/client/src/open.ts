/**
 * The SDK's front door: opens what is kept, gives it at once, and loads the network half afterwards. Imports no libp2p, so that a page shows its
 * conversations before, and without, any of it.
 * Next: kept.ts (what is there without a network), network.ts (the rest).
 */
import { FootbridgeError } from '@footbridge/shared/errors'
import { parseLogin } from '@footbridge/shared/bridge-token'
import type { ConnectionState, Findable, FileOffer, Footbridge, Identity, Profile, TabRole } from './api.ts'
import { createTransfers, initialTransfer } from './blobs/transfers.ts'
import { browserDevice, createCheckUp } from './check-up/runner.ts'
import { loadChunk } from './chunk.ts'
import { createConversations } from './conversations.ts'
import { createImports } from './imports.ts'
import type { Kept } from './kept.ts'
import { createLog } from './log.ts'
import type { Credential, Network } from './network.ts'
import { createNotices } from './notices.ts'
import { createRooms } from './rooms/rooms.ts'
import { writable } from './observable.ts'
import { createPeople } from './people.ts'
import { watchPage } from './page.ts'
import { afterFirstPaint, askToPersist, isPhone, storageUse } from './platform.ts'
import { createBlobStore } from './store/blobs.ts'
import { openDatabase, type IdentityRecord } from './store/database.ts'
import { createMessageStore } from './store/messages.ts'
import { createPeerStore } from './store/peers.ts'
import { createRoomStore } from './store/rooms.ts'
import { createSelfStore } from './store/self.ts'
import { createUpgradeStore } from './store/upgrades.ts'
import { createWinnerStore } from './store/winners.ts'
import { createFollowerEnd, type FollowerEnd } from './tabs/follower-end.ts'
import { browserTabParts, createTabLead, type TabParts } from './tabs/lead.ts'
import { createLeaderEnd, type LeaderEnd } from './tabs/leader-end.ts'
import type { ActName, Acts, Mirror, TabChange, TabMessage } from './tabs/messages.ts'

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
  let identity: IdentityRecord | undefined
  let network: Promise<Network> | undefined
  let running: Network | undefined
  let isClosed = false

  const connection = writable<ConnectionState>({ state: 'out' })
  const tab = writable<TabRole>('leads')
  const log = createLog(now)
  const notices = createNotices(now)
  const database = await openDatabase(databaseName, () => void close())
  const self = createSelfStore(database)
  const messages = createMessageStore(database)
  const blobs = createBlobStore(database)
  const people = createPeople(createPeerStore(database), messages, now)
  const transfers = createTransfers(blobs)
  const profile = writable<Profile>(await self.profile())
  const findable = writable<Findable>({ choice: await self.visibility(), places: [], isSupported: undefined })
  let bridgeUrl = await chooseBridge(options.bridgeUrl)

  async function chooseBridge(given: string | undefined): Promise<string> {
    const own = (given ?? globalThis.location?.origin ?? '').replace(/\/+$/, '')
    if (given !== undefined || (await self.enrolment(own))) return own
    return (await self.lastBridge()) ?? own
  }

  const imports = createImports(async (file: File, work): Promise<FileOffer> => {
    const { importFile } = await loadChunk(() => import('./blobs/import.ts'))
    const offer = await importFile(file, { store: blobs, now, ...work })
    transfers.report(offer.cid, { ...initialTransfer(offer.cid, offer.size), state: 'complete', bytesDone: offer.size })
    tabs.tell({ kind: 'blobs' })
    // A network that did not load has nothing to serve.
    await network?.then((made) => made.blobsChanged()).catch(() => undefined)
    return offer
  })

  const importAlone = (owner: string, file: File): Promise<FileOffer> => imports.run(owner, file, async (offer) => offer)
  const rooms = createRooms({
    store: createRoomStore(database),
    now,
    ownPeer: () => identity?.peer ?? '',
    importFile: importAlone,
    onChange: (room) => tabs.tell({ kind: 'room', room }),
  })

  const conversations = createConversations({
    messages,
    people,
    now,
    imports,
    onOutgoing: (peer) => {
      if (network) void network.then((made) => made.outgoing(peer))
      else tabs.tell({ kind: 'send', peer })
    },
    onChange: (peer) => tabs.tell({ kind: 'peer', peer }),
  })

  const kept: Kept = {
    self,
    messages,
    blobs,
    upgrades: createUpgradeStore(database),
    winners: createWinnerStore(database),
    people,
    conversations,
    transfers,
    rooms,
    profile,
    findable,
    connection,
    notices,
    log,
    now,
    steady,
    device: isPhone() ? 'phone' : 'browser',
    changed: (change) => tabs.tell(change),
  }

  const fetchFrom = options.fetch ?? globalThis.fetch.bind(globalThis)
  const ownBridgeUrl = (): string => mirrored.bridgeUrl ?? bridgeUrl
  const checkUp = createCheckUp({
    bridgeUrl: ownBridgeUrl,
    keptSession: async (url) => (await self.enrolment(url))?.session,
    connection,
    peers: people.list,
    fetch: fetchFrom,
    now,
    steady,
    device: browserDevice,
  })

  const startNetwork = (): Promise<Network> => {
    network ??= loadChunk(() => import('./network.ts')).then(async ({ createNetwork }) => {
      const made = await createNetwork({
        kept,
        bridgeUrl,
        fetch: fetchFrom,
        random,
        importFile: importAlone,
        ...(options.transports && { transports: options.transports }),
      })
      identity = await self.identity()
      running = made
      return made
    })
    // A chunk that did not load is asked for again with the next try.
    network.catch(() => (network = undefined))
    return network
  }

  const stopNetwork = async (): Promise<void> => {
    const stopping = network
    network = undefined
    running = undefined
    await stopping?.then(
      (made) => made.close(),
      () => undefined,
    )
  }

  const isEnrolled = async (): Promise<boolean> => (await self.enrolment(bridgeUrl))?.loggedOut === false

  /** Comes back by itself where this device is enrolled. */
  const resume = async (): Promise<void> => {
    if (!(await isEnrolled())) {
      // A login that was quicker says more.
      if (network === undefined) connection.set({ state: 'out' })
      await afterFirstPaint()
      if (!isClosed) await (await startNetwork()).prepare()
      return
    }
    connection.set({ state: 'arriving', step: 'reaching', stepStartedAt: now(), done: [] })
    await afterFirstPaint()
    if (isClosed) return
    await (await startNetwork()).login({ device: true })
  }

  const ownAddresses = (): readonly string[] => running?.addresses() ?? []

  const failTransfer = (cid: string, error: unknown): void =>
    transfers.report(cid, { state: 'failed', error: error instanceof FootbridgeError ? error.code : 'internal' })

  /** What is done by the tab that holds the peer, for itself and for the others. */
  const acts: Acts = {
    async login(credential) {
      const before = bridgeUrl
      const shown = asCredential(credential)
      if (bridgeUrl !== before) await stopNetwork()
      if (!('device' in shown)) connection.set({ state: 'arriving', step: 'reaching', stepStartedAt: now(), done: [] })
      await (await startNetwork()).login(shown)
    },
    async logout() {
      await (await startNetwork()).logout()
    },
    async setVisibility(visibility) {
      await self.setVisibility(visibility)
      findable.set({ ...findable.get(), choice: visibility })
      ;(await network)?.visibilityChanged()
    },
    dial: async (target) => (await startNetwork()).dial(target),
    async retryNow() {
      if (network) (await network).wake()
      else await resume()
    },
    upgrade: async (peer) => (await network)?.upgrade(peer),
    async fetch(offer, sources) {
      if (network) await (await network).fetch(offer, sources)
      else transfers.report(offer.cid, { state: 'waiting', bytesTotal: offer.size })
    },
    pause: async (cid) => (await network)?.pause(cid),
    async removeBlob(cid) {
      await (await network)?.dropTransfer(cid)
      await transfers.remove(cid)
      ;(await network)?.blobsChanged()
    },
    async importIdentity(exported, passphrase) {
      const { openIdentity } = await loadChunk(() => import('./identity-export.ts'))
      const { decodePrivateKey, peerOf } = await loadChunk(() => import('./identity.ts'))
      const opened = await openIdentity(exported, passphrase)
      if (peerOf(decodePrivateKey(opened.privateKey)) !== opened.peer)
        throw new FootbridgeError('bad_request', 'the key in the file is not that of its name')
      await stopNetwork()
      await self.clear()
      await self.setProfile(profile.get())
      await self.setVisibility(findable.get().choice)
      identity = { peer: opened.peer, privateKey: opened.privateKey, createdAt: now() }
      await self.setIdentity(identity)
      connection.set({ state: 'out' })
      tabs.tell({ kind: 'self' })
    },
    async forget() {
      await (await network)?.logout().catch(() => undefined)
      await stopNetwork()
      for (const store of database.objectStoreNames) await database.clear(store)
      identity = undefined
      people.clear()
      conversations.clear()
      transfers.clear()
      rooms.clearAll()
      profile.set({ name: '', picture: undefined })
      findable.set({ choice: await self.visibility(), places: [], isSupported: undefined })
      connection.set({ state: 'out' })
      tabs.tell({ kind: 'self' })
    },
    joinRoom: (name) => rooms.join(name),
    leaveRoom: (room) => rooms.leave(room),
    sayInRoom: (room, text) => rooms.sendText(room, text),
    offerInRoom: (room, file) => rooms.sendFile(room, file),
    fetchInRoom: (room, messageId) => rooms.fetchFile(room, messageId),
    readRoom: (room) => rooms.markRead(room),
    clearRoom: (room) => rooms.clear(room),
    setRoomTopics: (topics) => rooms.setTopics(topics),
  }

  const opened = await Promise.all([self.identity(), people.load(), isEnrolled(), rooms.load()])
  identity = opened[0]
  if (opened[2]) connection.set({ state: 'arriving', step: 'reaching', stepStartedAt: now(), done: [] })

  let isOpening = true
  let swept: Promise<unknown> = Promise.resolve()
  let leader: LeaderEnd | undefined
  let follower: FollowerEnd | undefined
  /** As the leader says. */
  let mirrored: Pick<Mirror, 'addresses' | 'bridgeUrl'> = {}
  const tabParts = options.tabs ?? browserTabParts(databaseName)
  const tabs = createTabLead(databaseName, tabParts, {
    onLead() {
      follower?.stop()
      follower = undefined
      mirrored = {}
      tab.set('leads')
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
          bridgeUrl: () => bridgeUrl,
        },
        acts,
        (message) => tabs.tell(message),
      )
      // The first tab of a browser: nothing is being written, so what no file has is a rest of a page that was closed. Without locks nobody knows.
      if (isOpening && tabParts.locks !== undefined) swept = blobs.sweep().catch(() => undefined)
      // What another tab wrote while it led.
      else if (!isOpening) swept = Promise.all([people.load(), rooms.load()]).catch(() => undefined)
      swept.then(resume).catch((error: unknown) => {
        // What the supervisor refused stands in `connection` already; this is a chunk that did not load.
        if (connection.get().state === 'arriving')
          connection.set({ state: 'away', code: error instanceof FootbridgeError ? error.code : 'unreachable', attempt: 1, retryAt: now() })
      })
    },
    onFollow() {
      leader?.stop()
      leader = undefined
      tab.set('follows')
      connection.set({ state: 'other-tab' })
      follower = createFollowerEnd(crypto.randomUUID(), (message) => tabs.tell(message), showMirror)
      // Stolen: what still runs here must not stand in the leader's way, and not show over what that one tells.
      const asking = follower
      void stopNetwork()
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
  await tabs.decided
  isOpening = false
  await swept

  async function reread(change: TabChange): Promise<void> {
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
        profile.set(await self.profile())
        identity = await self.identity()
        void network?.then((made) => made.profileChanged())
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

  /** Does it here, or has the tab do it that leads. */
  async function act<Name extends ActName>(name: Name, ...args: Parameters<Acts[Name]>): Promise<Awaited<ReturnType<Acts[Name]>>> {
    if (isClosed) throw new FootbridgeError('aborted', 'Footbridge was closed')
    if (follower) return follower.call(name, ...args)
    const own = acts[name] as (...own: Parameters<Acts[Name]>) => Promise<Awaited<ReturnType<Acts[Name]>>>
    return own(...args)
  }

  const page = watchPage({
    leave: () => running?.leave(),
    // Looked at is this tab; the one that leads may be hidden and slow.
    wake: () => void (follower ? follower.call('retryNow').catch(() => undefined) : network?.then((made) => made.wake())),
    networkChanged: () => void network?.then((made) => made.networkChanged()),
  })

  async function close(): Promise<void> {
    if (isClosed) return
    isClosed = true
    page.stop()
    imports.stop()
    checkUp.stop()
    await stopNetwork()
    leader?.stop()
    follower?.stop()
    tabs.close()
    database.close()
  }

  const asCredential = (credential: Credential): Credential => {
    if (!('token' in credential)) return credential
    const login = parseLogin(credential.token)
    if (login === undefined) throw new FootbridgeError('token_unknown', 'that is not a bridge token or a login link')
    if (login.origin !== undefined && login.origin !== bridgeUrl && options.bridgeUrl === undefined) bridgeUrl = login.origin
    return { token: login.token }
  }

  return {
    connection,
    notices: notices.current,
    tab,
    peers: people.list,
    log: log.lines,
    profile,
    findable,
    conversations,
    blobs: {
      transfer: (cid) => transfers.of(cid),
      fetch: (offer, sources) => void act('fetch', offer, sources).catch((error: unknown) => failTransfer(offer.cid, error)),
      pause: (cid) => void act('pause', cid).catch(() => undefined),
      open: (offer) => transfers.open(offer),
      async remove(cid) {
        await act('removeBlob', cid)
        await transfers.remove(cid)
      },
      list: () => transfers.list(),
    },
    rooms: {
      list: rooms.list,
      topics: rooms.topics,
      in: (room) => rooms.in(room),
      join: (name) => act('joinRoom', name),
      leave: (room) => act('leaveRoom', room),
      sendText: (room, text) => act('sayInRoom', room, text),
      sendFile: (room, file) => act('offerInRoom', room, file),
      fetchFile: (room, messageId) => act('fetchInRoom', room, messageId),
      markRead: (room) => act('readRoom', room),
      clear: (room) => act('clearRoom', room),
      setTopics: (topics) => act('setRoomTopics', topics),
    },
    identity: () => identity && toIdentity(identity),
    async login(credential) {
      await act('login', credential)
      void askToPersist()
    },
    logout: () => act('logout'),
    async setProfile(next) {
      await self.setProfile(next)
      profile.set(next)
      tabs.tell({ kind: 'self' })
      await network?.then((made) => made.profileChanged())
    },
    setVisibility: (visibility) => act('setVisibility', visibility),
    dial: (target) => act('dial', target),
    retryNow: () => void act('retryNow').catch(() => undefined),
    upgrade: (peer) => void act('upgrade', peer).catch(() => undefined),
    storageUse: () => storageUse(blobs, messages),
    checkUp,
    bridgeUrl: ownBridgeUrl,
    addresses: () => mirrored.addresses ?? ownAddresses(),
    importIdentity: (exported, passphrase) => act('importIdentity', exported, passphrase),
    forget: () => act('forget'),
    close,
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
}

function isChange(message: TabMessage): message is TabChange {
  return (
    message.kind === 'peer' || message.kind === 'send' || message.kind === 'self' || message.kind === 'blobs' || message.kind === 'room'
  )
}
