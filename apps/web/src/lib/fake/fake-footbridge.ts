/**
 * A Footbridge without a bridge, for looking at every state of the app in a dev build: `?fake=<scenario>`. It keeps the contract's shapes, nothing else.
 * Scenarios: people (default), empty, out, guests, unnamed, arriving, away, other-tab, ended, refused, full, many, long, held, restart, second-tab, visible,
 * and for the check-up udp-blocked, symmetric, tunnel-only, offline, portal, webkit, clock-wrong. Never in a production bundle (see open-client.ts).
 */
import type {
  ArrivalStep,
  BridgeNotices,
  ConnectionState,
  Findable,
  FileOffer,
  Footbridge,
  Import,
  KeptFile,
  LogEntry,
  Message,
  Peer,
  Profile,
  Readable,
  TabRole,
  Transfer,
} from '@footbridge/client/api'
import { FootbridgeError } from '@footbridge/shared/errors'
import type { SessionAnswer } from '@footbridge/shared/login'
import { Cell } from './cell.ts'
import { createFakeRooms } from './fake-rooms.ts'
import { createFakeCheckUp } from './fake-check-up.ts'
import { BOB, BRIDGE, LONG_NAMES, ME, longMessages, fakeMessages, fakePeers } from './people.ts'

const DAY = 86_400_000
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

export function createFakeFootbridge(scenario: string): Footbridge {
  const now = Date.now()
  const session: SessionAnswer = {
    peer: ME,
    bridge: { peer: BRIDGE, name: 'bridge.example', version: '0.1.0' },
    accessToken: '',
    expiresAt: now + DAY,
    serverTime: now,
    firstHops: [`/dns4/bridge.example/tcp/443/wss/p2p/${BRIDGE}`],
    relayAddresses: [`/dns4/bridge.example/tcp/4001/p2p/${BRIDGE}`, `/dns4/bridge.example/udp/4001/quic-v1/p2p/${BRIDGE}`],
    iceServers: [],
    token: {
      id: 't1',
      label: 'Harbour office',
      guest: false,
      limits: { expiresAt: now + 30 * DAY, devices: 3, bytesPerDay: 5e9, bytesPerSecond: null },
    },
  }
  const done = [
    { step: 'reaching', ms: 84 },
    { step: 'proving', ms: 31 },
    { step: 'reserving', ms: 142 },
  ] as const
  const online: ConnectionState = {
    state: 'online',
    session,
    done,
    firstHop: { kind: 'websocket', address: `/dns4/bridge.example/tcp/443/wss/p2p/${BRIDGE}`, rttMs: 18.2 },
  }
  const initial = (): ConnectionState => {
    switch (scenario) {
      case 'out':
      case 'guests':
      case 'refused':
        return { state: 'out' }
      case 'ended':
        return { state: 'out', reason: 'token_expired' }
      case 'arriving':
        return { state: 'arriving', step: 'proving', stepStartedAt: now, done: [{ step: 'reaching', ms: 84 }] }
      case 'away':
      case 'portal':
      case 'offline':
        return { state: 'away', code: 'unreachable', attempt: 3, retryAt: now + 25_000 }
      case 'restart':
        return { state: 'away', code: 'unavailable', attempt: 0, retryAt: now + 12_000 }
      case 'other-tab':
        return { state: 'other-tab' }
      default:
        return online
    }
  }

  const connection = new Cell<ConnectionState>(initial())
  const notices = new Cell<BridgeNotices>({
    clockSkewMs: scenario === 'held' ? 7 * 60_000 : 240,
    limits: {
      bytesPerSecond: scenario === 'held' ? 2e6 : null,
      bytesPerDay: 5e9,
      bytesUsedToday: 1.3e9,
      circuits: 200,
      circuitsPerMinute: null,
    },
    held:
      scenario === 'held'
        ? [
            { limit: 'bytes_per_second', scope: 'token', until: undefined, shownUntil: now + DAY },
            { limit: 'bytes_per_day', scope: 'token', until: new Date(now).setHours(24, 0, 0, 0), shownUntil: now + DAY },
          ]
        : [],
    ending: scenario === 'held' ? [{ peer: BOB, reason: 'bytes_per_day', at: now + 20_000 }] : [],
    draining: scenario === 'restart' ? { reconnectAt: now + 12_000, backBy: now + 30_000 } : undefined,
  })
  const tab = new Cell<TabRole>(scenario === 'other-tab' || scenario === 'second-tab' ? 'follows' : 'leads')
  const stored = fakeMessages(now)
  const alone = scenario === 'empty' || scenario === 'out' || scenario === 'guests' || scenario === 'refused' || scenario === 'unnamed'
  const long = scenario === 'long'
  const listed = alone ? [] : fakePeers(now).map((peer) => (long ? { ...peer, name: LONG_NAMES[peer.id] ?? peer.name } : peer))
  if (long) stored.set(BOB, [...(stored.get(BOB) ?? []), ...longMessages(now)])
  const crowd =
    scenario !== 'many'
      ? []
      : Array.from({ length: 300 }, (_, n): Peer => ({
          ...fakePeer(listed, n),
          id: `12D3KooW${(n * 7919).toString(36)}many${n}`,
          name: `Peer number ${n}`,
          unread: 0,
        }))
  const unreachable =
    scenario === 'away' ||
    scenario === 'portal' ||
    scenario === 'offline' ||
    scenario === 'restart' ||
    scenario === 'other-tab' ||
    scenario === 'ended'
  const peers = new Cell<readonly Peer[]>(
    [...listed, ...crowd].map((peer) => ({
      ...peer,
      ...(unreachable ? { online: false, path: { kind: 'none' } as const } : {}),
      lastMessage: stored.get(peer.id)?.at(-1),
    })),
  )
  const log = new Cell<readonly LogEntry[]>([
    { at: now - 62_000, level: 'info', text: 'Reached the bridge in 84 ms.' },
    { at: now - 61_000, level: 'info', text: 'The bridge accepted this device.' },
    { at: now - 60_000, level: 'info', text: 'Reachable through the bridge.' },
    { at: now - 40_000, level: 'warn', text: 'No direct path to Bob: UDP did not get through on either network.' },
  ])
  const profile = new Cell<Profile>({ name: alone ? '' : 'Me at the desk', picture: undefined })
  if (scenario === 'empty') profile.set({ name: 'Me at the desk', picture: undefined })
  const findable = new Cell<Findable>(fakeFindable(scenario === 'visible' ? 'network' : 'bridge', unreachable))
  const talks = new Map<string, Cell<readonly Message[]>>()
  const talk = (peer: string): Cell<readonly Message[]> => {
    const existing = talks.get(peer)
    if (existing !== undefined) return existing
    const made = new Cell<readonly Message[]>(stored.get(peer) ?? [])
    talks.set(peer, made)
    return made
  }

  const transfers = new Map<string, Cell<Transfer | undefined>>()
  const transfer = (cid: string): Cell<Transfer | undefined> => {
    let cell = transfers.get(cid)
    if (cell === undefined) transfers.set(cid, (cell = new Cell<Transfer | undefined>(undefined)))
    return cell
  }
  const still = { bytesPerSecond: 0, sources: [], refusedSources: [], error: undefined }
  transfer('bafy-drawings').set({
    ...still,
    cid: 'bafy-drawings',
    state: 'fetching',
    bytesDone: 18_300_000,
    bytesTotal: 52_428_800,
    bytesPerSecond: 4_200_000,
  })
  transfer('bafy-photo').set({ ...still, cid: 'bafy-photo', state: 'complete', bytesDone: 184_000, bytesTotal: 184_000 })
  transfer('bafy-notes').set({ ...still, cid: 'bafy-notes', state: 'complete', bytesDone: 4210, bytesTotal: 4210 })
  transfer('bafy-paused').set({ ...still, cid: 'bafy-paused', state: 'complete', bytesDone: 8_400_000, bytesTotal: 8_400_000 })

  let kept: readonly KeptFile[] =
    scenario === 'empty' || scenario === 'unnamed'
      ? []
      : Array.from({ length: 14 }, (_, n): KeptFile => ({
          cid: `bafy-kept-${n}`,
          name:
            n === 2
              ? 'a_name_without_a_single_place_to_break_it_that_goes_on_and_on_2026_11_21.tar.gz'
              : `pier-drawings-sheet-${n + 1}.pdf`,
          size: 90_000_000 / (n + 1),
          bytesHere: n === 1 ? 18_300_000 : 90_000_000 / (n + 1),
          media: 'application/pdf',
          addedAt: now - n * DAY,
        })).toSorted((a, b) => b.bytesHere - a.bytesHere)

  const importing = new Map<string, Cell<readonly Import[]>>()
  const importingOf = (peer: string): Cell<readonly Import[]> => {
    let cell = importing.get(peer)
    if (cell === undefined) {
      const survey = { id: 'i1', peer, name: 'survey-of-the-whole-harbour.zip', size: 2_100_000_000, bytesDone: 820_000_000 }
      importing.set(peer, (cell = new Cell<readonly Import[]>(peer === BOB ? [survey] : [])))
    }
    return cell
  }

  const run = (cid: string): void => {
    const timer = setInterval(() => {
      const cell = transfer(cid)
      const present = cell.get()
      if (present === undefined || present.state !== 'fetching') return clearInterval(timer)
      const bytesDone = Math.min(present.bytesTotal, present.bytesDone + 420_000)
      cell.set({ ...present, bytesDone, state: bytesDone === present.bytesTotal ? 'complete' : 'fetching' })
    }, 100)
  }

  const append = (peer: string, body: Message['body']): Message => {
    if (scenario === 'full') throw new FootbridgeError('storage_full', 'no room')
    const here = peers.get().find((each) => each.id === peer)?.online === true
    const message: Message = { id: crypto.randomUUID(), peer, direction: 'out', at: Date.now(), body, status: 'waiting' }
    const change = (status: Message['status']): void =>
      talk(peer).update((all) => all.map((each) => (each.id === message.id ? { ...each, status } : each)))
    talk(peer).update((all) => [...all, message])
    if (here)
      void pause(200)
        .then(() => change('sent'))
        .then(() => pause(300))
        .then(() => change('delivered'))
    return message
  }

  return {
    connection,
    notices,
    tab,
    peers,
    log,
    profile,
    findable,
    conversations: {
      with: (peer) => talk(peer),
      sendText: async (peer, text) => append(peer, { kind: 'text', text }),
      sendFile: async (peer, file) => {
        const cid = `bafy-${file.name}`
        transfer(cid).set({ ...still, cid, state: 'complete', bytesDone: file.size, bytesTotal: file.size })
        return append(peer, { kind: 'file', file: { cid, name: file.name, size: file.size, media: file.type } })
      },
      importing: (peer) => importingOf(peer),
      cancelImport: () => undefined,
      retry: async () => undefined,
      markRead: async (peer) => peers.update((all) => all.map((each) => (each.id === peer ? { ...each, unread: 0 } : each))),
      remove: async (peer) => talk(peer).set([]),
    },
    blobs: {
      transfer: (cid): Readable<Transfer | undefined> => transfer(cid),
      fetch: (offer: FileOffer) => {
        const before = transfer(offer.cid).get()
        transfer(offer.cid).set({
          ...still,
          cid: offer.cid,
          state: 'fetching',
          bytesDone: before?.bytesDone ?? 0,
          bytesTotal: offer.size,
          bytesPerSecond: 4_200_000,
        })
        run(offer.cid)
      },
      pause: (cid) =>
        transfer(cid).update((present) => (present === undefined ? present : { ...present, state: 'paused', bytesPerSecond: 0 })),
      open: async (offer) => (offer.media === 'image/png' ? paintedPicture() : new Blob(['notes'], { type: offer.media })),
      remove: async (cid) => {
        kept = kept.filter((file) => file.cid !== cid)
        transfer(cid).set(undefined)
      },
      list: async () => kept,
    },
    rooms: createFakeRooms(scenario, transfer),
    identity: () =>
      connection.get().state === 'out' && scenario !== 'ended'
        ? undefined
        : { peer: ME, exportWith: async () => '{"footbridge":"identity"}' },
    login: async () => {
      const reached: { step: ArrivalStep; ms: number }[] = []
      for (const each of done) {
        connection.set({ state: 'arriving', step: each.step, stepStartedAt: Date.now(), done: [...reached] })
        await pause(600)
        if (scenario === 'refused' && each.step === 'proving') {
          connection.set({ state: 'out' })
          throw new FootbridgeError('token_expired', 'expired')
        }
        reached.push(each)
      }
      connection.set(online)
    },
    logout: async () => connection.set({ state: 'out' }),
    setProfile: async (next) => profile.set(next),
    setVisibility: async (choice) => findable.set(fakeFindable(choice, unreachable)),
    dial: async () => {
      await pause(800)
      throw new FootbridgeError('peer_unreachable', 'nobody there')
    },
    retryNow: () => connection.set(online),
    upgrade: () => undefined,
    storageUse: async () => ({
      usedBytes: 412_000_000,
      quotaBytes: 12_000_000_000,
      persistent: false,
      blobs: 14,
      blobBytes: 388_000_000,
      messages: 1204,
    }),
    checkUp: createFakeCheckUp(scenario),
    bridgeUrl: () => location.origin,
    bridgeNetwork: async () => ({
      reachability: 'unreachable',
      testedAt: now - 8 * 60_000,
      relays: { known: 2, accepted: 1 },
      rendezvous: { known: 1, registered: 1 },
      peers: { total: 23, bySource: { connection: 4, kademlia: 15, mdns: 3, gossip: 6 } },
    }),
    addresses: () => session.relayAddresses.map((address) => `${address}/p2p-circuit/p2p/${ME}`),
    importIdentity: async () => {
      await pause(300)
      throw new FootbridgeError('passphrase_wrong', 'wrong')
    },
    forget: async () => connection.set({ state: 'out' }),
    close: async () => undefined,
  }
}

/** As a bridge would say, with one place that has no room. */
function fakeFindable(choice: Findable['choice'], isAway: boolean): Findable {
  const isForNetwork = choice === 'network'
  const names = {
    rendezvous: ['footbridge'],
    kademlia: ['/ipfs/kad/1.0.0', '/calimero/kad/1.0.0'],
    mdns: ['_p2p._udp.local', 'goop-mdns.local'],
  }
  return {
    choice,
    isSupported: true,
    places: isAway
      ? []
      : [
          { place: 'presence', state: choice === 'nobody' ? 'off' : 'announced', names: [] },
          { place: 'rendezvous', state: isForNetwork ? 'announced' : 'off', names: names.rendezvous },
          { place: 'kademlia', state: isForNetwork ? 'announced' : 'off', names: names.kademlia },
          { place: 'mdns', state: isForNetwork ? 'full' : 'off', names: names.mdns },
          { place: 'pubsub', state: isForNetwork ? 'ready' : 'off', names: ['universal-connectivity-browser-peer-discovery'] },
        ],
  }
}

function fakePeer(listed: readonly Peer[], n: number): Peer {
  const peer = listed[n % listed.length]
  if (peer === undefined) throw new RangeError('nobody to copy')
  return peer
}

async function paintedPicture(): Promise<Blob> {
  const canvas = new OffscreenCanvas(640, 420)
  const context = canvas.getContext('2d')
  if (context === null) return new Blob()
  const sky = context.createLinearGradient(0, 0, 0, 420)
  sky.addColorStop(0, '#9cc9d6')
  sky.addColorStop(0.6, '#f3dcb4')
  sky.addColorStop(0.61, '#2a6470')
  sky.addColorStop(1, '#12404d')
  context.fillStyle = sky
  context.fillRect(0, 0, 640, 420)
  context.strokeStyle = '#1d2d33'
  context.lineWidth = 7
  context.beginPath()
  context.moveTo(40, 300)
  context.bezierCurveTo(180, 160, 460, 160, 600, 300)
  context.stroke()
  return canvas.convertToBlob({ type: 'image/png' })
}
