/**
 * The half of the SDK that needs libp2p, loaded after the first paint: node, bridge link, paths, outbox and transfers, wired together.
 * Not here: anything kept (opening/keep.ts made it) and any decision (each part has its own file).
 */
import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { createBlobRequester } from '@footbridge/protocols/blob/blob-requester'
import { MAX_BLOB_STREAMS_PER_CONNECTION, serveBlobs } from '@footbridge/protocols/blob/blob-server'
import { MAX_MESSAGE_STREAMS_PER_CONNECTION } from '@footbridge/protocols/message/message-receiver'
import { MAX_DIRECT_MESSAGE_STREAMS_PER_CONNECTION, UC_DIRECT_MESSAGE_PROTOCOL } from '@footbridge/protocols/uc-dm/protocol'
import { FootbridgeError, isFootbridgeError } from '@footbridge/shared/errors'
import { BLOB_PROTOCOL, MESSAGE_PROTOCOL } from '@footbridge/shared/protocol-ids'
import type { FileOffer, Peer } from './api.ts'
import { createFetcher } from './blobs/fetcher.ts'
import { createServedBlocks } from './blobs/served-blocks.ts'
import { createBridgeLink, type BridgeLink } from './bridge-link.ts'
import { loadOrMakeKey } from './identity.ts'
import { createIncoming } from './incoming.ts'
import type { Kept } from './kept.ts'
import { createNode } from './node/create-node.ts'
import { lazyTunnel } from './node/lazy-tunnel.ts'
import { rtcTransport } from './node/web-rtc.ts'
import { createOutbox } from './outbox.ts'
import { networkName } from './platform.ts'
import { createLazyRooms } from './rooms/lazy-rooms.ts'
import { createPaths, type Paths } from './paths/paths.ts'

const STREAM_TIMEOUT_MS = 15_000

export type Credential = { readonly token: string } | { readonly guest: true } | { readonly device: true }

export interface NetworkParts {
  readonly kept: Kept
  readonly bridgeUrl: string
  readonly fetch: typeof fetch
  readonly random: () => number
  /** A file becomes a blob of this device. */
  readonly importFile: (owner: string, file: File) => Promise<FileOffer>
  /** Transports beside WebSocket and circuits; the browser's WebRTC when undefined. */
  readonly transports?: readonly unknown[]
}

export interface Network {
  /** Gets ready for a login; see BridgeLink. */
  prepare(): Promise<void>
  login(credential: Credential): Promise<void>
  logout(): Promise<void>
  outgoing(peer: string): void
  dial(target: string): Promise<string>
  wake(): void
  networkChanged(): void
  /** The page is being left. */
  leave(): void
  upgrade(peer: string): void
  addresses(): readonly string[]
  profileChanged(): void
  visibilityChanged(): void
  fetch(offer: FileOffer, sources: readonly string[]): Promise<void>
  pause(cid: string): Promise<void>
  dropTransfer(cid: string): Promise<void>
  blobsChanged(): void
  close(): Promise<void>
}

export async function createNetwork(parts: NetworkParts): Promise<Network> {
  const { kept, bridgeUrl } = parts
  const { log, now, people, conversations, blobs, transfers } = kept
  const stopping = new AbortController()
  let closed: Promise<void> | undefined

  const key = await loadOrMakeKey(kept.self, now)
  const rtc = await rtcTransport(parts.transports, () => bridge.session()?.iceServers ?? [])
  const tunnel = lazyTunnel({
    accessToken: () => bridge.session()?.accessToken,
    fetch: parts.fetch,
    now: kept.steady,
    random: parts.random,
  })
  const node = await createNode({ key, transports: [...rtc.transports, tunnel], listen: rtc.listen, now: kept.steady })
  const { libp2p } = node

  const bridge: BridgeLink = createBridgeLink({
    kept,
    node,
    key,
    http: { bridgeUrl, fetch: parts.fetch, now },
    random: parts.random,
    networkName,
    onOnline() {
      paths.bridgeBack()
      outbox.kickAll().catch(() => undefined)
      fetcher.sourcesChanged()
    },
    onGone: (peers) => peers.forEach((peer) => paths.doubt(peer)),
    // A direct connection to the device that they left looks alive for many seconds.
    onNews: (peers) => peers.forEach((peer) => paths.doubt(peer)),
    // Who talks with this device directly would not find the other one.
    onReplaced: () => paths.leave(),
  })

  const paths: Paths = createPaths({
    libp2p,
    people,
    upgrades: kept.upgrades,
    log,
    now,
    hasWebRtc: rtc.transports.length > 0,
    networkName,
    bridgeAddress: () => bridge.address(),
    dial: (address, signal) => node.dial(address, signal),
    identify: (connection) => node.identify(connection),
    ask: (connection) => node.signs.ask(connection),
    foundAddresses: (peer) => rooms.addresses(peer).filter((address) => node.isDialable(address)),
    onUsable(peer, isBetter) {
      outbox.kick(peer)
      if (isBetter) fetcher.pathChanged(peer)
      fetcher.sourcesChanged()
    },
  })

  const outbox = createOutbox({
    paths,
    messages: kept.messages,
    conversations,
    people,
    log,
    profile: () => kept.profile.get(),
    async otherSender(connection, refused) {
      const { protocols = [] } = (await libp2p.peerStore.get(connection.remotePeer).catch(() => undefined)) ?? {}
      // Over WebRTC nobody says no: a stream of a protocol that is not known there just ends.
      const speaks = protocols.includes(UC_DIRECT_MESSAGE_PROTOCOL) && !protocols.includes(MESSAGE_PROTOCOL)
      if (!speaks && !refused) return undefined
      return (await import('./rooms/direct.ts')).createDirectSender(connection)
    },
  })
  const served = createServedBlocks(blobs)
  const fetcher = createFetcher({
    store: blobs,
    transfers,
    onlinePeers: () => onlineOf(people.list.get()),
    open: async (peer, signal) => {
      const link = await paths.connection(peer, signal)
      const stream = await link.newStream(BLOB_PROTOCOL, { signal: AbortSignal.timeout(STREAM_TIMEOUT_MS), runOnLimitedConnection: true })
      paths.watch(stream, link)
      return createBlobRequester(stream)
    },
    nameOf: (peer) => people.nameOf(peer),
    log,
    now,
    onComplete: () => served.changed(),
  })

  const receive = createIncoming(kept, stopping.signal)
  const watched =
    (handler: (stream: Stream, link: Connection) => void) =>
    (stream: Stream, link: Connection): void => {
      paths.watch(stream, link)
      handler(stream, link)
    }
  // Loaded with the first. What comes before is kept by the stream as long as nobody listens to it, so it is watched only then.
  let direct: Promise<(stream: Stream, link: Connection) => void> | undefined
  const receiveDirect = (stream: Stream, link: Connection): void => {
    direct ??= import('./rooms/direct.ts').then(({ createDirectIncoming }) => createDirectIncoming(kept, stopping.signal))
    direct.then(
      (take) => watched(take)(stream, link),
      (error: Error) => {
        direct = undefined
        stream.abort(error)
      },
    )
  }
  const limited = (maxInboundStreams: number) => ({ runOnLimitedConnection: true, maxInboundStreams })
  const serve = (stream: Stream): void => void serveBlobs(stream, (cid) => served.get(cid), stopping.signal)
  await libp2p.handle(MESSAGE_PROTOCOL, watched(receive), limited(MAX_MESSAGE_STREAMS_PER_CONNECTION))
  await libp2p.handle(BLOB_PROTOCOL, watched(serve), limited(MAX_BLOB_STREAMS_PER_CONNECTION))
  await libp2p.handle(UC_DIRECT_MESSAGE_PROTOCOL, receiveDirect, limited(MAX_DIRECT_MESSAGE_STREAMS_PER_CONNECTION))
  await fetcher.resumeAll()
  const rooms = createLazyRooms(kept.rooms.joined, async () => {
    const { openLiveRooms } = await import('./rooms/live.ts')
    return openLiveRooms({
      kept,
      libp2p,
      components: node.components,
      connect: (peer, signal) => paths.connection(peer, signal),
      importFile: parts.importFile,
      bridgePeer: () => bridge.session()?.bridge.peer,
      // Told on a public topic, addresses are told to the network.
      ownAddresses: () => (kept.findable.get().choice === 'network' ? [...ownAddresses(), ...rtcAddresses()] : []),
      bridgeUrl,
      fetch: parts.fetch,
      accessToken: () => bridge.session()?.accessToken,
    })
  })

  // Who comes online is written to and asked for blocks.
  let here: ReadonlySet<string> = new Set()
  const stopWatching = people.list.subscribe((list) => {
    const next = new Set(onlineOf(list))
    const came = [...next].filter((peer) => !here.has(peer))
    here = next
    for (const peer of came) {
      paths.came(peer)
      outbox.kick(peer)
    }
    if (came.length > 0) fetcher.sourcesChanged()
  })

  function ownAddresses(): readonly string[] {
    const session = bridge.session()
    return session?.relayAddresses.map((address) => `${address}/p2p-circuit/p2p/${session.peer}`) ?? []
  }

  /** Browsers of universal-connectivity dial no others. */
  function rtcAddresses(): readonly string[] {
    return rtc.listen.includes('/webrtc') ? ownAddresses().map((address) => address.replace('/p2p-circuit/', '/p2p-circuit/webrtc/')) : []
  }

  const stop = async (): Promise<void> => {
    await rooms.stop()
    stopping.abort()
    stopWatching()
    outbox.stop()
    paths.stop()
    await fetcher.stop()
    await bridge.stop()
    await libp2p.stop()
    for (const peer of here) people.connected(peer, false)
  }

  return {
    prepare: () => bridge.prepare(),
    async login(given) {
      if ('token' in given) return bridge.login({ kind: 'token', token: given.token })
      return bridge.login({ kind: 'guest' in given ? 'guest' : 'device' })
    },
    logout: () => bridge.logout(),
    outgoing: (peer) => outbox.kick(peer),
    async dial(target) {
      const peer = await dialTarget(target, paths, libp2p)
      await people.keep(peer)
      return peer
    },
    wake: () => bridge.wake(),
    networkChanged() {
      bridge.networkChanged()
      paths.networkChanged()
    },
    leave: () => paths.leave(),
    upgrade: (peer) => paths.upgrade(peer),
    addresses: ownAddresses,
    profileChanged: () => bridge.profileChanged(),
    visibilityChanged: () => bridge.visibilityChanged(),
    fetch: (offer, sources) => fetcher.start(offer, sources),
    pause: (cid) => fetcher.pause(cid),
    async dropTransfer(cid) {
      await fetcher.drop(cid)
      served.changed()
    },
    blobsChanged: () => served.changed(),
    close: () => (closed ??= stop()),
  }
}

function onlineOf(list: readonly Peer[]): string[] {
  return list.filter((peer) => peer.online).map((peer) => peer.id)
}

async function dialTarget(target: string, paths: Paths, libp2p: Libp2p): Promise<string> {
  const text = target.trim()
  try {
    if (!text.startsWith('/')) {
      const peer = peerIdFromString(text).toString()
      await paths.connection(peer)
      return peer
    }
    const link = await libp2p.dial(multiaddr(text), { signal: AbortSignal.timeout(STREAM_TIMEOUT_MS) })
    paths.adopt(link)
    return link.remotePeer.toString()
  } catch (cause) {
    if (isFootbridgeError(cause, 'peer_unreachable')) throw cause
    throw new FootbridgeError('peer_unreachable', 'that peer could not be reached', { cause })
  }
}
