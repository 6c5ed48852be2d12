/** The path manager over a libp2p whose connections open, answer and die when the test says so. */
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { Connection, Libp2p, PeerId, Stream } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { echo, streamPair } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Path } from '../api.ts'
import { createLog } from '../log.ts'
import type { People } from '../people.ts'
import type { UpgradeFailureRecord } from '../store/database.ts'
import { createPaths, type Paths } from './paths.ts'

const ids = await Promise.all([1, 2, 3].map(async () => peerIdFromPrivateKey(await generateKeyPair('Ed25519'))))
const [lower, higher, bridge] = ids.toSorted((a, b) => (a.toString() < b.toString() ? -1 : 1)) as [PeerId, PeerId, PeerId]
const BRIDGE = `/dns4/bridge.example/tcp/443/tls/ws/p2p/${bridge.toString()}`

type Fake = Connection & {
  /** Whether pings come back. */
  answers: boolean
  /** Pings come back from then on. */
  ready: Promise<void>
  pings: number
}

interface Scene {
  readonly paths: Paths
  readonly peer: PeerId
  readonly id: string
  readonly dials: string[]
  readonly usable: [string, boolean][]
  readonly failures: Map<string, Omit<UpgradeFailureRecord, 'key'>>
  /** What the next dial does. */
  dial: (address: string, signal: AbortSignal) => Promise<Connection>
  bridgeAddress: string | undefined
  /** Where the peer says that it can be dialled. */
  found: readonly string[]
  shown(): Path | undefined
  /** A connection that appears by itself. */
  open(kind: 'circuit' | 'webrtc', direction?: 'inbound' | 'outbound'): Fake
  /** A connection at an address of the peer's own. */
  openAt(address: string): Fake
  identify(): void
  /** What the peer store knows; empty before identify. */
  protocols: string[]
  identified: number
}

const started: Paths[] = []
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] })
})
afterEach(() => {
  for (const paths of started.splice(0)) paths.stop()
  vi.useRealTimers()
})

/** Long enough for a ping that is answered, far too short for any deadline. */
const moment = async (): Promise<void> => void (await vi.advanceTimersByTimeAsync(100))

function scene({ own = lower, peer = higher, speaksWebRtc = true } = {}): Scene {
  const events = new EventTarget()
  const tell = (type: string, detail: unknown): void => void events.dispatchEvent(new CustomEvent(type, { detail }))
  const shown = new Map<string, Path>()

  const make = (address: string, direction: 'inbound' | 'outbound'): Fake => {
    const fake = {
      remotePeer: peer,
      remoteAddr: multiaddr(address),
      direction,
      status: 'open',
      answers: true,
      ready: Promise.resolve(),
      pings: 0,
      async newStream(): Promise<Stream> {
        fake.pings++
        const [near, far] = await streamPair()
        if (fake.answers) fake.ready.then(() => echo(far)).catch(() => undefined)
        return near
      },
      abort() {
        if (fake.status !== 'open') return
        fake.status = 'aborted'
        tell('connection:close', fake)
      },
    }
    return fake as unknown as Fake
  }

  const here: Scene = {
    peer,
    id: peer.toString(),
    dials: [],
    usable: [],
    failures: new Map(),
    dial: () => Promise.reject(new Error('ICE failed')),
    bridgeAddress: BRIDGE,
    found: [],
    shown: () => shown.get(peer.toString()),
    open(kind, direction = 'outbound') {
      const connection = make(`${BRIDGE}/p2p-circuit${kind === 'webrtc' ? '/webrtc' : ''}/p2p/${peer.toString()}`, direction)
      tell('connection:open', connection)
      return connection
    },
    openAt(address) {
      const connection = make(address, 'outbound')
      tell('connection:open', connection)
      return connection
    },
    protocols: speaksWebRtc ? ['/webrtc-signaling/0.0.1'] : ['/ipfs/ping/1.0.0'],
    identified: 0,
    identify: () => tell('peer:identify', { peerId: peer }),
    paths: createPaths({
      libp2p: {
        peerId: own,
        addEventListener: events.addEventListener.bind(events),
        removeEventListener: events.removeEventListener.bind(events),
        peerStore: { get: async () => ({ protocols: here.protocols }) },
      } as unknown as Libp2p,
      people: {
        connected: () => undefined,
        path: (id: string, path: Path) => shown.set(id, path),
        nameOf: () => 'Bob',
      } as unknown as People,
      upgrades: {
        get: async (network, id) => {
          const failure = here.failures.get(`${network} ${id}`)
          return failure && { key: '', ...failure }
        },
        put: async (network, id, failure) => void here.failures.set(`${network} ${id}`, failure),
        remove: async (network, id) => void here.failures.delete(`${network} ${id}`),
      },
      log: createLog(Date.now),
      now: Date.now,
      hasWebRtc: true,
      networkName: () => 'wifi',
      bridgeAddress: () => here.bridgeAddress,
      dial: (address, signal) => {
        here.dials.push(address)
        return here.dial(address, signal)
      },
      identify: async () => {
        here.identified++
        here.protocols = ['/webrtc-signaling/0.0.1']
        here.identify()
      },
      foundAddresses: () => here.found,
      onUsable: (id, isBetter) => here.usable.push([id, isBetter]),
    }),
  }
  started.push(here.paths)
  return here
}

/** Alice and Bob, talking through the bridge. */
async function relayed(options: Parameters<typeof scene>[0] = {}): Promise<Scene & { circuit: Fake }> {
  const here = scene(options)
  const circuit = here.open('circuit')
  await moment()
  here.usable.length = 0
  return Object.assign(here, { circuit })
}

async function direct(): Promise<Scene & { circuit: Fake; rtc: Fake }> {
  const here = await relayed()
  const rtc = here.open('webrtc', 'inbound')
  await moment()
  here.usable.length = 0
  return Object.assign(here, { rtc })
}

test('a circuit is used at once, before anything is known of it', () => {
  const here = scene()
  const circuit = here.open('circuit')
  circuit.answers = false
  expect(here.paths.current(here.id)).toBe(circuit)
  expect(here.shown()).toMatchObject({ kind: 'relayed', over: 'circuit', rttMs: undefined })
  expect(here.usable).toEqual([[here.id, false]])
})

test('who is not connected is dialled through the bridge, once for all who ask', async () => {
  const here = scene()
  here.dial = async () => here.open('circuit')
  const [first, second] = await Promise.all([here.paths.connection(here.id), here.paths.connection(here.id)])
  expect(first).toBe(second)
  expect(here.dials).toEqual([`${BRIDGE}/p2p-circuit/p2p/${here.id}`])
})

test('a dial that fails, or without a bridge, says that the peer is unreachable', async () => {
  const here = scene()
  await expect(here.paths.connection(here.id)).rejects.toMatchObject({ code: 'peer_unreachable' })
  here.bridgeAddress = undefined
  await expect(here.paths.connection(here.id)).rejects.toMatchObject({ code: 'peer_unreachable' })
  expect(here.dials).toHaveLength(1)
})

test('a native peer without a reservation is reached at the addresses that it tells, and that is a direct path', async () => {
  const here = scene()
  const own = `/dns4/peer.example/udp/443/quic-v1/webtransport/p2p/${here.id}`
  here.found = [`/dns4/gone.example/tcp/443/tls/ws/p2p/${here.id}`, own]
  here.dial = async (address) => (address === own ? here.openAt(own) : Promise.reject(new Error('nobody there')))
  const connection = await here.paths.connection(here.id)
  expect(here.dials).toEqual([`${BRIDGE}/p2p-circuit/p2p/${here.id}`, ...here.found])
  expect(here.paths.current(here.id)).toBe(connection)
  expect(here.shown()).toMatchObject({ kind: 'direct', over: 'webtransport', address: own })
  expect(here.usable).toEqual([[here.id, true]])
  ;(connection as Fake).abort(new Error('gone'))
  await moment()
  expect(here.shown()).toMatchObject({ kind: 'none' })
})

test('the lower PeerId dials WebRTC, past the circuit that is there', async () => {
  const here = await relayed({ own: lower, peer: higher })
  here.identify()
  await moment()
  expect(here.dials).toEqual([`${BRIDGE}/p2p-circuit/webrtc/p2p/${here.id}`])
})

test('the higher PeerId leaves the dial to the other, until its person asks', async () => {
  const here = await relayed({ own: higher, peer: lower })
  here.identify()
  await moment()
  expect(here.dials).toEqual([])
  here.paths.upgrade(here.id)
  await moment()
  expect(here.dials).toHaveLength(1)
})

test('a peer without WebRTC is not dialled', async () => {
  const here = await relayed({ speaksWebRtc: false })
  here.identify()
  await moment()
  expect([here.dials, here.shown()]).toMatchObject([[], { upgrade: { state: 'unsupported' } }])
})

test('a direct connection carries nothing until a ping has come back', async () => {
  const here = await relayed()
  const pong = Promise.withResolvers<void>()
  here.dial = async () => Object.assign(here.open('webrtc'), { ready: pong.promise })
  here.identify()
  await moment()
  expect(here.shown()).toMatchObject({ kind: 'relayed', upgrade: { state: 'trying' } })
  expect(here.paths.current(here.id)).toBe(here.circuit)
  pong.resolve()
  await moment()
  expect(here.shown()).toMatchObject({ kind: 'direct', over: 'webrtc' })
  expect(here.paths.current(here.id)).not.toBe(here.circuit)
  expect(here.usable).toEqual([[here.id, true]])
})

test.each(['outbound', 'inbound'] as const)('a phantom (%s) is never used, and ended', async (direction) => {
  const here = await relayed()
  let phantom: Fake | undefined
  const appear = (): Fake => {
    phantom = here.open('webrtc', direction)
    phantom.answers = false
    return phantom
  }
  if (direction === 'outbound') here.dial = async () => appear()
  if (direction === 'outbound') here.identify()
  else appear()
  await moment()
  expect(here.paths.current(here.id)).toBe(here.circuit)
  await vi.advanceTimersByTimeAsync(6_000)
  expect(phantom?.status).toBe('aborted')
  expect(here.paths.current(here.id)).toBe(here.circuit)
  expect(here.usable).toEqual([[here.id, false]])
  if (direction === 'outbound') expect(here.shown()).toMatchObject({ upgrade: { state: 'failed' } })
})

test('a direct path that closes is left for the circuit at once, and tried again soon', async () => {
  const here = await direct()
  expect(here.paths.current(here.id)).toBe(here.rtc)
  here.rtc.abort(new Error('gone'))
  expect(here.paths.current(here.id)).toBe(here.circuit)
  expect([here.shown(), here.usable]).toMatchObject([{ kind: 'relayed' }, [[here.id, false]]])
  await vi.advanceTimersByTimeAsync(1_100)
  expect(here.dials).toHaveLength(1)
})

test('a direct connection that is closing is not used any more', async () => {
  const here = await direct()
  here.rtc.status = 'closing'
  expect(here.paths.current(here.id)).toBe(here.circuit)
})

test('a direct path that falls silent is left for the circuit', async () => {
  const here = await direct()
  here.rtc.answers = false
  await vi.advanceTimersByTimeAsync(15_000 + 2 * 6_000 + 2_000)
  expect(here.rtc.status).toBe('aborted')
  expect(here.paths.current(here.id)).toBe(here.circuit)
})

test('a path that carries a file is alive, however late its pings are', async () => {
  const here = await direct()
  const [near, far] = await streamPair()
  here.paths.watch(near, here.rtc)
  here.rtc.answers = false
  for (let second = 0; second < 60; second++) {
    far.send(new Uint8Array(10))
    await vi.advanceTimersByTimeAsync(1_000)
  }
  expect(here.rtc.status).toBe('open')
})

test('a peer that the bridge no longer lists loses a silent path soon, and keeps one that answers', async () => {
  const here = await direct()
  here.paths.doubt(here.id)
  await vi.advanceTimersByTimeAsync(3_000)
  expect(here.rtc.status).toBe('open')
  here.rtc.answers = false
  here.paths.doubt(here.id)
  await vi.advanceTimersByTimeAsync(3_000)
  expect(here.rtc.status).toBe('aborted')
})

test('a second circuit makes the direct path prove itself again', async () => {
  const here = await direct()
  here.rtc.answers = false
  here.open('circuit', 'inbound')
  await vi.advanceTimersByTimeAsync(3_000)
  expect(here.rtc.status).toBe('aborted')
})

test('failures are remembered for the network, and each in a row waits longer', async () => {
  const here = await relayed()
  here.identify()
  await moment()
  expect(here.shown()).toMatchObject({ upgrade: { state: 'failed', retryAt: expect.any(Number) } })
  expect(here.failures.get(`wifi ${here.id}`)).toMatchObject({ failures: 1 })
  here.identify()
  await vi.advanceTimersByTimeAsync(1_500)
  expect(here.dials, 'not before two seconds').toHaveLength(1)
  await vi.advanceTimersByTimeAsync(1_000)
  expect(here.dials).toHaveLength(2)
  expect(here.failures.get(`wifi ${here.id}`)).toMatchObject({ failures: 2 })
  await vi.advanceTimersByTimeAsync(6_500)
  expect(here.dials, 'not before eight seconds').toHaveLength(2)
  here.dial = async () => here.open('webrtc')
  await vi.advanceTimersByTimeAsync(3_000)
  expect([here.dials.length, here.shown()?.kind, here.failures.size]).toEqual([3, 'direct', 0])
})

test('on another network what failed is tried at once', async () => {
  const here = await relayed()
  here.identify()
  await moment()
  here.paths.networkChanged()
  await moment()
  expect(here.dials).toHaveLength(2)
})

test('with the last connection the path is gone', async () => {
  const here = await relayed()
  here.circuit.abort(new Error('gone'))
  expect([here.shown(), here.paths.current(here.id)]).toEqual([{ kind: 'none' }, undefined])
})

test('leaving the page ends the direct connections and nothing else', async () => {
  const here = await direct()
  here.paths.leave()
  expect([here.rtc.status, here.circuit.status]).toEqual(['aborted', 'open'])
})

test('after a stop nothing is measured, dialled or heard', async () => {
  const here = await relayed()
  here.identify()
  await moment()
  here.paths.stop()
  const { pings } = here.circuit
  here.identify()
  await vi.advanceTimersByTimeAsync(10 * 60_000)
  expect([here.dials.length, here.circuit.pings]).toEqual([1, pings])
})

test('a peer whose identify was lost is asked again, and then dialled', async () => {
  const here = scene()
  here.protocols = []
  here.open('circuit')
  await vi.advanceTimersByTimeAsync(1_900)
  expect([here.identified, here.dials.length]).toEqual([0, 0])
  await vi.advanceTimersByTimeAsync(200)
  expect([here.identified, here.dials.length]).toEqual([1, 1])
})
