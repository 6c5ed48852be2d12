/**
 * The half of the SDK that needs libp2p, loaded after the first paint: login, node, supervisor, presence, paths, outbox, transfers, wired together.
 * Not here: anything kept (open.ts made it) and any decision (each part has its own file).
 */
import type { Connection, Stream } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { createBlobRequester } from '@footbridge/protocols/blob/blob-requester'
import { MAX_BLOB_STREAMS_PER_CONNECTION, serveBlobs } from '@footbridge/protocols/blob/blob-server'
import { MAX_MESSAGE_STREAMS_PER_CONNECTION, receiveMessages } from '@footbridge/protocols/message/message-receiver'
import type { OutgoingFrame } from '@footbridge/protocols/message/message-sender'
import { pingConnection } from '@footbridge/protocols/ping/ping-connection'
import { createPresenceClient, type PresenceClient } from '@footbridge/protocols/presence/presence-client'
import { FootbridgeError, isFootbridgeError } from '@footbridge/shared/errors'
import type { LoginRequest, SessionAnswer } from '@footbridge/shared/login'
import { BLOB_PROTOCOL, MESSAGE_PROTOCOL, PRESENCE_PROTOCOL } from '@footbridge/shared/protocol-ids'
import type { FileOffer, FirstHop, Message } from './api.ts'
import { createFetcher } from './blobs/fetcher.ts'
import { createServedBlocks } from './blobs/served-blocks.ts'
import { loadOrMakeKey } from './identity.ts'
import type { Kept } from './kept.ts'
import { fetchBridge, logIn, logOut, type LoginParts } from './login.ts'
import { createNode, type FootbridgeNode } from './node/create-node.ts'
import { createOutbox } from './outbox.ts'
import { createPaths } from './paths/paths.ts'
import { createSupervisor } from './supervisor/supervisor.ts'
import type { LoginKind } from './supervisor/supervisor-state.ts'

const PING_EVERY_MS = 15_000
const PING_TIMEOUT_MS = 6_000
/** On coming back to the page or the network somebody is watching: a dead link must show soon. */
const CHECK_TIMEOUT_MS = 3_000
const MISSES_TO_GIVE_UP = 2
const STREAM_TIMEOUT_MS = 15_000
const HANG_UP_TIMEOUT_MS = 1_000
/** A presence stream that ends while the link lives means that the bridge forgot us; at once would be a race with the closing link. */
const PRESENCE_GRACE_MS = 1_000
/** Incoming messages that one peer may have being stored at a time, over all its streams. */
const MAX_STORING_PER_PEER = 4

export type Credential = { readonly token: string } | { readonly guest: true } | { readonly device: true }

export interface NetworkParts {
  readonly kept: Kept
  readonly bridgeUrl: string
  readonly fetch: typeof fetch
  readonly random: () => number
  /** Transports beside WebSocket and circuits; the browser's WebRTC when undefined. */
  readonly transports?: readonly unknown[]
}

export interface Network {
  login(credential: Credential): Promise<void>
  logout(): Promise<void>
  outgoing(peer: string): void
  dial(target: string): Promise<string>
  wake(): void
  networkChanged(): void
  upgrade(peer: string): void
  addresses(): readonly string[]
  profileChanged(): void
  fetch(offer: FileOffer, sources: readonly string[]): Promise<void>
  pause(cid: string): Promise<void>
  dropTransfer(cid: string): Promise<void>
  blobsChanged(): void
  close(): Promise<void>
}

export async function createNetwork(parts: NetworkParts): Promise<Network> {
  const { kept, bridgeUrl } = parts
  const { log, now, people, connection, conversations, blobs, transfers } = kept
  const closing = new AbortController()
  const http: LoginParts = { bridgeUrl, fetch: parts.fetch, now }

  let credential: LoginRequest['credential'] = { kind: 'device' }
  let session: SessionAnswer | undefined
  let presence: PresenceClient | undefined
  let presenceTimer: ReturnType<typeof setTimeout> | undefined
  let misses = 0
  const key = await loadOrMakeKey(kept.self, now)
  const rtc = await rtcTransport(parts.transports, () => session?.iceServers ?? [])
  const node = await createNode({ key, transports: rtc.transports, listen: rtc.listen })
  const { libp2p } = node
  const bridgeLinks = (): Connection[] => (session ? node.bridgeConnections(peerIdFromString(session.bridge.peer)) : [])
  const bridgeLink = (): Connection | undefined => bridgeLinks()[0]

  // ── the way to the bridge ─────────────────────────────────────────────────────────────────────────────────────────────────

  const login = async (kind: LoginKind, signal: AbortSignal): Promise<SessionAnswer> => {
    const enrolled = await kept.self.enrolment(bridgeUrl)
    const bridgePeer = enrolled?.bridge.peer ?? (await fetchBridge(http, signal)).peer
    const shown = kind === 'given' ? credential : ({ kind: 'device' } as const)
    const input = { bridgePeer, key, credential: shown, name: kept.profile.get().name }
    const answer = await logIn(http, input, signal).catch(async (error: unknown) => {
      // The bridge may have a new identity since it was last seen: its data folder was lost, or another stands at its address.
      if (enrolled === undefined || !isFootbridgeError(error, 'signature_invalid')) throw error
      const { peer } = await fetchBridge(http, signal)
      if (peer === bridgePeer) throw error
      return logIn(http, { ...input, bridgePeer: peer }, signal)
    })
    credential = { kind: 'device' }
    session = answer
    await kept.self.setEnrolment({ bridgeUrl, bridge: answer.bridge, peer: answer.peer, loggedOut: false, session: answer })
    await kept.self.setLastBridge(bridgeUrl)
    kept.changed({ kind: 'self' })
    return answer
  }

  const dial = async (answer: SessionAnswer, signal: AbortSignal): Promise<FirstHop> => {
    const dialNew = (): Promise<Connection> =>
      node.dialBridge(answer.firstHops, signal).catch((cause: unknown) => {
        throw new FootbridgeError('unreachable', 'the bridge cannot be dialled', { cause })
      })
    const link = bridgeLink() ?? (await dialNew())
    if (link.remotePeer.toString() !== answer.bridge.peer) throw new FootbridgeError('not_a_bridge', 'another peer answered at the address')
    misses = 0
    return { kind: 'websocket', address: link.remoteAddr.toString(), rttMs: undefined }
  }

  const reserve = async (answer: SessionAnswer, signal: AbortSignal): Promise<number> => {
    const link = bridgeLink()
    if (link === undefined) throw new FootbridgeError('unreachable', 'the link to the bridge has closed')
    const expiresAt = await node.reserve(link.remotePeer, link.remoteAddr.toString(), signal)
    // Both times are the bridge's, so the device's clock does not matter.
    return Math.max(60_000, expiresAt - answer.serverTime)
  }

  const hangUp = async (): Promise<void> => {
    presence?.close()
    await Promise.all(bridgeLinks().map(hangUpLink))
  }

  /** close() first: abort() leaves a browser's WebSocket open (pitfall A5.1). */
  const hangUpLink = async (link: Connection): Promise<void> => {
    try {
      await link.close({ signal: AbortSignal.timeout(HANG_UP_TIMEOUT_MS) })
    } catch (error) {
      link.abort(error instanceof Error ? error : new Error('the link did not close'))
    }
  }

  const pingBridge = async (timeoutMs: number): Promise<void> => {
    const link = bridgeLink()
    if (link === undefined || supervisor.session() === undefined) return
    const startedAt = now()
    try {
      const rttMs = Math.round(await pingConnection(link, timeoutMs, closing.signal))
      misses = 0
      supervisor.firstHop({ kind: 'websocket', address: link.remoteAddr.toString(), rttMs })
    } catch {
      if (closing.signal.aborted || link.status !== 'open' || paths.heardThroughBridgeAt() >= startedAt) return
      misses++
      if (misses < MISSES_TO_GIVE_UP) return void pingBridge(timeoutMs)
      log.warn('The bridge stopped answering')
      await hangUpLink(link)
    }
  }

  const openPresence = async (): Promise<void> => {
    presence?.close()
    presence = undefined
    const link = bridgeLink()
    if (link === undefined) return
    const lostSession = (): void => {
      clearTimeout(presenceTimer)
      presenceTimer = setTimeout(() => {
        if (presence === undefined && link.status === 'open' && !closing.signal.aborted) supervisor.sessionLost()
      }, PRESENCE_GRACE_MS)
    }
    try {
      const stream = await link.newStream(PRESENCE_PROTOCOL, { signal: AbortSignal.timeout(STREAM_TIMEOUT_MS) })
      const client = createPresenceClient(stream, {
        peers: (rows, reset) => people.presence(rows, reset),
        gone: (peers) => people.gone(peers),
        ended: () => {
          if (presence !== client) return
          presence = undefined
          lostSession()
        },
      })
      presence = client
      await client.hello(kept.profile.get().name, kept.device)
    } catch {
      if (presence === undefined) lostSession()
    }
  }

  const online = (): void => {
    void openPresence()
    void pingBridge(PING_TIMEOUT_MS)
    outbox.kickAll().catch(() => undefined)
    fetcher.sourcesChanged()
  }

  const supervisor = createSupervisor({
    work: { login, dial, reserve, hangUp, online, checkLink: () => void pingBridge(CHECK_TIMEOUT_MS) },
    connection,
    log,
    now,
    random: parts.random,
  })
  const pingTimer = setInterval(() => void pingBridge(PING_TIMEOUT_MS), PING_EVERY_MS)

  // ── peers ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  const storing = new Map<string, number>()

  const onMessageStream = (stream: Stream, link: Connection): void => {
    const peer = link.remotePeer.toString()
    paths.watch(stream, link)
    void receiveMessages(
      stream,
      {
        onProfile: ({ name, picture }) => void people.profile(peer, name, picture).catch(() => undefined),
        async store(frame) {
          const busy = storing.get(peer) ?? 0
          if (busy >= MAX_STORING_PER_PEER) throw new FootbridgeError('rate_limited', 'too many messages at once')
          storing.set(peer, busy + 1)
          try {
            await conversations.receive(toMessage(peer, frame))
            return 'stored'
          } catch (error) {
            if (isFootbridgeError(error, 'storage_full')) return 'full'
            throw error
          } finally {
            if (busy === 0) storing.delete(peer)
            else storing.set(peer, busy)
          }
        },
      },
      closing.signal,
    ).then((error) => {
      if (error?.code === 'protocol_violation') log.warn(`${people.nameOf(peer)} sent something that is not a message`)
    })
  }

  const onBlobStream = (stream: Stream, link: Connection): void => {
    paths.watch(stream, link)
    void serveBlobs(stream, (cid) => served.get(cid), closing.signal)
  }

  const paths = createPaths({
    libp2p,
    people,
    upgrades: kept.upgrades,
    log,
    now,
    hasWebRtc: rtc.transports.length > 0,
    networkName,
    bridgeAddress: () => bridgeLink()?.remoteAddr.toString(),
    onUsable: (peer) => {
      outbox.kick(peer)
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
  })
  const served = createServedBlocks(blobs)
  const fetcher = createFetcher({
    store: blobs,
    transfers,
    onlinePeers: () =>
      people.list
        .get()
        .filter((peer) => peer.online)
        .map((peer) => peer.id),
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
  await libp2p.handle(MESSAGE_PROTOCOL, onMessageStream, {
    runOnLimitedConnection: true,
    maxInboundStreams: MAX_MESSAGE_STREAMS_PER_CONNECTION,
  })
  await libp2p.handle(BLOB_PROTOCOL, onBlobStream, {
    runOnLimitedConnection: true,
    maxInboundStreams: MAX_BLOB_STREAMS_PER_CONNECTION,
  })
  libp2p.addEventListener('connection:close', ({ detail }) => {
    if (detail.remotePeer.toString() === session?.bridge.peer && bridgeLinks().length === 0) supervisor.lost()
  })
  await fetcher.resumeAll()

  // Who comes online is written to and asked for blocks.
  let here = new Set<string>()
  const stopWatching = people.list.subscribe((list) => {
    const next = new Set(list.filter((peer) => peer.online).map((peer) => peer.id))
    const came = [...next].filter((peer) => !here.has(peer))
    here = next
    for (const peer of came) outbox.kick(peer)
    if (came.length > 0) fetcher.sourcesChanged()
  })

  return {
    async login(given) {
      if ('device' in given) return supervisor.start('device')
      credential = 'token' in given ? { kind: 'token', token: given.token } : { kind: 'guest' }
      await supervisor.start('given')
    },
    async logout() {
      const enrolled = await kept.self.enrolment(bridgeUrl)
      const token = supervisor.session()?.accessToken ?? session?.accessToken
      if (enrolled) await kept.self.setEnrolment({ ...enrolled, loggedOut: true })
      if (token !== undefined) await logOut(http, token).catch(() => undefined)
      await supervisor.stop()
    },
    outgoing: (peer) => outbox.kick(peer),
    async dial(target) {
      const peer = await dialTarget(target, paths, libp2p)
      await people.keep(peer)
      return peer
    },
    wake: () => supervisor.wake(),
    networkChanged() {
      supervisor.wake()
      paths.networkChanged()
    },
    upgrade: (peer) => paths.upgrade(peer),
    addresses() {
      if (session === undefined) return []
      const own = session.peer
      return session.relayAddresses.map((address) => `${address}/p2p-circuit/p2p/${own}`)
    },
    profileChanged() {
      presence?.hello(kept.profile.get().name, kept.device).catch(() => undefined)
    },
    fetch: (offer, sources) => fetcher.start(offer, sources),
    pause: (cid) => fetcher.pause(cid),
    dropTransfer: async (cid) => {
      await fetcher.drop(cid)
      served.changed()
    },
    blobsChanged: () => served.changed(),
    async close() {
      if (closing.signal.aborted) return
      closing.abort()
      clearInterval(pingTimer)
      clearTimeout(presenceTimer)
      stopWatching()
      outbox.stop()
      paths.stop()
      await fetcher.stop()
      await supervisor.stop()
      await node.stop()
    },
  }
}

async function dialTarget(target: string, paths: ReturnType<typeof createPaths>, libp2p: FootbridgeNode['libp2p']): Promise<string> {
  const text = target.trim()
  try {
    if (!text.startsWith('/')) {
      const peer = peerIdFromString(text).toString()
      await paths.connection(peer)
      return peer
    }
    const link = await libp2p.dial(multiaddr(text), { signal: AbortSignal.timeout(STREAM_TIMEOUT_MS) })
    return link.remotePeer.toString()
  } catch (cause) {
    if (isFootbridgeError(cause, 'peer_unreachable')) throw cause
    throw new FootbridgeError('peer_unreachable', 'that peer could not be reached', { cause })
  }
}

function toMessage(peer: string, frame: OutgoingFrame): Message {
  const { id, at } = frame
  const shared = { id, peer, at, direction: 'in', status: 'delivered' } as const
  if (frame.type === 'text') return { ...shared, body: { kind: 'text', text: frame.text } }
  const { cid, name, size, media } = frame
  return { ...shared, body: { kind: 'file', file: { cid, name, size, media } } }
}

/** WebRTC comes in a chunk of its own, and not at all where the browser has none. */
async function rtcTransport(
  given: readonly unknown[] | undefined,
  iceServers: () => SessionAnswer['iceServers'],
): Promise<{ transports: readonly unknown[]; listen: readonly string[] }> {
  if (given !== undefined) return { transports: given, listen: [] }
  if (typeof RTCPeerConnection === 'undefined') return { transports: [], listen: [] }
  const { webRTC } = await import('@libp2p/webrtc')
  const rtcConfiguration = async (): Promise<RTCConfiguration> => ({
    iceServers: iceServers().map(({ urls, username, credential }) => ({
      urls,
      ...(username !== undefined && { username }),
      ...(credential !== undefined && { credential }),
    })),
  })
  return { transports: [webRTC({ rtcConfiguration })], listen: ['/webrtc'] }
}

/** Browsers tell little; what they tell separates a phone's radio from a desk's cable. */
function networkName(): string {
  const { connection } = globalThis.navigator as Navigator & { connection?: { type?: string; effectiveType?: string } }
  return connection?.type ?? connection?.effectiveType ?? 'network'
}
