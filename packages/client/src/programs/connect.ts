/**
 * The front door for programs: logs in at a bridge and gives a client of the network, the same in a browser and in Node. Composes what the app is made of (the
 * node, the way to the bridge, the paths to peers) without conversations, files and a database; `api.ts` is the contract.
 * Not here: what a person sees (open.ts).
 */
import type { Connection, Libp2p, Listener } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { parseLogin } from '@footbridge/shared/bridge-token'
import { FootbridgeError } from '@footbridge/shared/errors'
import { MAX_NAME_LENGTH } from '@footbridge/shared/limits'
import type { LoginRequest } from '@footbridge/shared/login'
import { DEFAULT_VISIBILITY } from '@footbridge/shared/wire/announce-frame'
import type { ConnectionState, Findable, Profile } from '../api.ts'
import { createBridgeLink, type BridgeLink } from '../bridge-link.ts'
import { loadChunk } from '../chunk.ts'
import { loadOrMakeKey } from '../identity.ts'
import { createLog } from '../log.ts'
import { createNode, isCircuit, isWebRtc } from '../node/create-node.ts'
import { lazyTunnel } from '../node/lazy-tunnel.ts'
import { rtcTransport } from '../node/web-rtc.ts'
import { createNotices } from '../notices.ts'
import { writable } from '../observable.ts'
import { watchPage } from '../page.ts'
import { createPaths, type Paths } from '../paths/paths.ts'
import { networkName } from '../platform.ts'
import { parseAddress, type PeerAddress } from './addresses.ts'
import type { ConnectOptions, NetworkClient, ProgramEvent } from './api.ts'
import { createDials } from './dials.ts'
import { createEventHub } from './events.ts'
import { createProgramSelf } from './program-self.ts'
import { rememberedPeers, rememberedUpgrades, rememberedWinners } from './remembered.ts'
import { createSignsOfLife } from './signs-of-life.ts'
import { circuitAddresses, statusOf, withPeer } from './status.ts'
import { memoryStorage, type ProgramStorage } from './storage.ts'
import { createStreams } from './streams.ts'
import { createTopics } from './topics.ts'

/**
 * Comes in at a bridge. Resolves once others can reach this program through it.
 * @throws FootbridgeError `bad_request` for options that make no sense, every code of a refused login (`token_unknown`, `token_revoked`, `device_unknown` when
 * neither token nor enrolment are there, `guests_off`, …), `unreachable`, `not_a_bridge`, `other_tab`, `unavailable` when an address of `listen` is taken,
 * `aborted`
 */
export async function connect(options: ConnectOptions): Promise<NetworkClient> {
  const { bridgeUrl, credential } = readCredential(options)
  const { name = '', signal } = options
  if (name.length > MAX_NAME_LENGTH) throw new FootbridgeError('bad_request', `a name has at most ${MAX_NAME_LENGTH} characters`)
  const storage = options.storage ?? (await defaultStorage())
  const opened = await open(options, bridgeUrl, storage).catch(async (error: unknown) => {
    await storage.close?.()
    throw error
  })
  const callOff = (): void => void opened.client.close().catch(() => undefined)
  signal?.addEventListener('abort', callOff, { once: true })
  try {
    if (isAborted(signal)) throw new FootbridgeError('aborted', 'the coming in was called off')
    for (const address of options.listen ?? []) await opened.client.listenOn(address)
    await opened.bridge.login(credential)
    return opened.client
  } catch (error) {
    await opened.client.close()
    throw error
  } finally {
    signal?.removeEventListener('abort', callOff)
  }
}

async function open(
  options: ConnectOptions,
  bridgeUrl: string,
  storage: ProgramStorage,
): Promise<{ readonly client: NetworkClient; readonly bridge: BridgeLink }> {
  const now = Date.now
  const steady = (): number => performance.now()
  const { random } = Math
  const fetchFrom = options.fetch ?? globalThis.fetch.bind(globalThis)
  const stopping = new AbortController()
  const self = createProgramSelf(storage, options.identity, now)
  const log = createLog(now)
  const connection = writable<ConnectionState>({ state: 'out' })
  const profile = writable<Profile>({ name: options.name ?? '', picture: undefined })
  const findable = writable<Findable>({ choice: options.visibility ?? DEFAULT_VISIBILITY, places: [], isSupported: undefined })
  const remembered = rememberedPeers()
  let onlineAt: number | undefined

  const key = await loadOrMakeKey(self, now)
  const rtc = await rtcTransport(undefined, () => bridge.session()?.iceServers ?? [])
  const tunnel = lazyTunnel({ accessToken: () => bridge.session()?.accessToken, fetch: fetchFrom, now: steady, random })
  const node = await createNode({
    key,
    transports: [...rtc.transports, ...(options.transports ?? []), tunnel],
    listen: rtc.listen,
    now: steady,
  })
  const { libp2p } = node
  const own = libp2p.peerId.toString()
  const signs = createSignsOfLife(node.signs, steady)

  const bridge: BridgeLink = createBridgeLink({
    kept: {
      self,
      people: remembered,
      winners: rememberedWinners(),
      profile,
      findable,
      connection,
      notices: createNotices(now),
      log,
      now,
      steady,
      device: 'browser',
      changed: () => undefined,
    },
    node,
    key,
    http: { bridgeUrl, fetch: fetchFrom, now },
    random,
    networkName,
    onOnline() {
      onlineAt = now()
      paths.bridgeBack()
      for (const event of atBridge()) events.tell(event)
    },
    onGone(peers) {
      for (const peer of peers) {
        const link = paths.current(peer)
        if (link !== undefined && !signs.isJustHeard(link)) paths.doubt(peer)
      }
    },
    onNews: () => undefined,
    onReplaced: () => paths.leave(),
  })

  const paths: Paths = createPaths({
    libp2p,
    people: remembered,
    upgrades: rememberedUpgrades(),
    log,
    now,
    hasWebRtc: rtc.transports.length > 0,
    networkName,
    bridgeAddress: () => bridge.address(),
    dial: (address, signal) => node.dial(address, signal),
    identify: (link) => node.identify(link),
    ask: (link) => signs.ask(link),
    onUsable: () => undefined,
  })

  const listeners = new Map<Listener, string>()
  let listenersMade = 0
  const idOf = (listener: Listener): string => {
    const known = listeners.get(listener)
    if (known !== undefined) return known
    const id = `listener ${++listenersMade}`
    listeners.set(listener, id)
    return id
  }
  const atListener = (listener: Listener): ProgramEvent[] =>
    ownAddresses(listener).map((address) => ({ type: 'listeningOn', listenerId: idOf(listener), address: withPeer(address, own) }))
  const atBridge = (): ProgramEvent[] => {
    const session = connection.get().state === 'online' ? bridge.session() : undefined
    return session === undefined ? [] : circuitAddresses(session).map((address) => ({ type: 'listeningOn', listenerId: 'bridge', address }))
  }

  const events = createEventHub({
    standing: () => [...[...listeners.keys()].flatMap(atListener), ...atBridge()],
    onDropped: (event) => streams.dropped(event),
    onError: (error) => log.warn(`A listener of events failed: ${String(error)}`),
  })
  const streams = createStreams({
    libp2p,
    connection: async (peer, signal) => directTo(libp2p, peer) ?? paths.connection(peer, signal),
    tell: (event) => events.tell(event),
    onError: (protocol, error) => log.warn(`The handler of ${protocol} failed: ${String(error)}`),
    signal: stopping.signal,
  })
  const topics = createTopics({ components: node.components, tell: (event) => void events.tell(event) })
  const dials = createDials({
    own,
    isConnected: ({ address, peer }) =>
      directTo(libp2p, peer) !== undefined || (isThroughRelay(address.toString()) && paths.current(peer) !== undefined),
    dial: (to, signal) => dialPeer(to, signal),
    signal: stopping.signal,
  })

  const dialPeer = async ({ address, peer }: PeerAddress, signal: AbortSignal): Promise<void> => {
    const text = address.toString()
    if (text === `/p2p/${peer}`) await paths.connection(peer, signal)
    else if (isThroughRelay(text)) await node.dial(text, signal)
    else {
      const link = await libp2p.dial(address, { signal })
      if (peer !== bridge.session()?.bridge.peer) paths.adopt(link)
    }
  }

  const onListening = ({ detail: listener }: CustomEvent<Listener>): void => {
    for (const event of atListener(listener)) events.tell(event)
  }
  const onListenerClosed = ({ detail: listener }: CustomEvent<Listener>): void => void listeners.delete(listener)
  libp2p.addEventListener('transport:listening', onListening)
  libp2p.addEventListener('transport:close', onListenerClosed)
  const page = watchPage({
    wake: () => bridge.wake(),
    networkChanged() {
      bridge.networkChanged()
      paths.networkChanged()
    },
    leave: () => paths.leave(),
  })

  let closed: Promise<void> | undefined
  const close = async (): Promise<void> => {
    stopping.abort()
    page.stop()
    events.close()
    await topics.stop()
    paths.stop()
    await bridge.stop()
    libp2p.removeEventListener('transport:listening', onListening)
    libp2p.removeEventListener('transport:close', onListenerClosed)
    await libp2p.stop()
    await storage.close?.()
  }

  const client: NetworkClient = {
    peer: own,
    connection,
    log: log.lines,
    events,
    dial: (address, signal) => dials.dial(address, signal),
    async listenOn(text) {
      if (stopping.signal.aborted) throw new FootbridgeError('aborted', 'the client is closed')
      const address = parseAddress(text).toString()
      if (isThroughRelay(address)) throw new FootbridgeError('bad_request', 'the bridge alone is listened at through a circuit')
      return idOf(await node.listen(address))
    },
    bootstrap: (addresses = options.bootstrap ?? []) => dials.bootstrap(addresses),
    subscribe: (topic) => topics.subscribe(topic),
    unsubscribe: (topic) => topics.unsubscribe(topic),
    publish: (topic, bytes) => topics.publish(topic, bytes),
    openStream: (peer, protocol, signal) => streams.openStream(peer, protocol, signal),
    handle: (protocol, handler, limits) => streams.handle(protocol, handler, limits),
    peerCount: () => libp2p.getPeers().length,
    meshPeerCount: (topic) => topics.meshPeerCount(topic),
    meshPeers: (topic) => topics.meshPeers(topic),
    subscribedPeers: (topic) => topics.subscribedPeers(topic),
    meshStats: () => topics.meshStats(),
    networkStatus: () =>
      statusOf({
        peer: own,
        connection: connection.get(),
        session: bridge.session(),
        listening: [...listeners.keys()].flatMap(ownAddresses),
        findable: findable.get(),
        paths: remembered.paths(),
        onlineAt,
      }),
    close: () => (closed ??= close()),
    [Symbol.asyncDispose]() {
      return this.close()
    },
  }
  return { client, bridge }
}

function readCredential({ bridge, token, guest = false }: ConnectOptions): {
  readonly bridgeUrl: string
  readonly credential: LoginRequest['credential']
} {
  const login = token === undefined ? undefined : parseLogin(token)
  if (token !== undefined && login === undefined) throw new FootbridgeError('token_unknown', 'that is not a bridge token or a login link')
  if (token !== undefined && guest) throw new FootbridgeError('bad_request', 'a guest has no token')
  const url = bridge ?? login?.origin ?? globalThis.location?.origin
  if (url === undefined || !URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw new FootbridgeError('bad_request', 'bridge is an origin such as https://bridge.example')
  const bridgeUrl = url.replace(/\/+$/, '')
  if (login !== undefined) return { bridgeUrl, credential: { kind: 'token', token: login.token } }
  return { bridgeUrl, credential: { kind: guest ? 'guest' : 'device' } }
}

/** The runtime's: what a browser has says more than what it is called. */
async function defaultStorage(): Promise<ProgramStorage> {
  if (typeof indexedDB === 'undefined') return memoryStorage()
  const { indexedStorage } = await loadChunk(() => import('./indexed-storage.ts'))
  return indexedStorage()
}

/** A connection of its own, dialled by either side. One of WebRTC has to be proved, which is the paths' affair. */
function directTo(libp2p: Libp2p, peer: string): Connection | undefined {
  return libp2p
    .getConnections(peerIdFromString(peer))
    .findLast((link) => link.status === 'open' && link.limits === undefined && !isCircuit(link) && !isWebRtc(link))
}

function ownAddresses(listener: Listener): string[] {
  return listener
    .getAddrs()
    .map(String)
    .filter((address) => !isThroughRelay(address) && !/\/webrtc(\/|$)/.test(address))
}

/** A function, because the signal changes while others are awaited. */
function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true
}

function isThroughRelay(address: string): boolean {
  return address.includes('/p2p-circuit')
}
