/** The links over a node that is a few functions, on the clock of the test. */
import type { Connection } from '@libp2p/interface'
import { FootbridgeError } from '@footbridge/shared/errors'
import type { BridgeAnswer, SessionAnswer } from '@footbridge/shared/login'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createLog } from '../log.ts'
import type { WinnerRecord } from '../store/database.ts'
import { createFirstHops, type FirstHops } from './first-hop.ts'
import { hopKind, type HopKind } from './hop-kind.ts'
import { pause } from './test-line.ts'

const BRIDGE = '12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5'
const ADDRESSES = {
  webtransport: `/ip4/192.0.2.1/udp/443/quic-v1/webtransport/certhash/uEiA/p2p/${BRIDGE}`,
  websocket: `/dns/bridge.example/tcp/443/tls/ws/p2p/${BRIDGE}`,
  tunnel: `/dns/bridge.example/tcp/443/tls/http/http-path/api%2Fv1%2Ftunnels/p2p/${BRIDGE}`,
}
const bridge = { peer: BRIDGE, name: '', version: '1' }
const session = { bridge, firstHops: Object.values(ADDRESSES) } as unknown as SessionAnswer
const { signal: never } = new AbortController()

type Fate = number | 'hangs' | 'is refused' | 'wants a login'

/** A device before its bridge. */
class World {
  fates: Record<HopKind, Fate> = { webtransport: 80, websocket: 60, tunnel: 100 }
  links: Connection[] = []
  begun: HopKind[] = []
  underway = 0
  winner: WinnerRecord | undefined
  last: SessionAnswer | undefined
  logins = 0
  asked = 0
  readonly hops: FirstHops

  constructor() {
    this.hops = createFirstHops({
      node: {
        dialBridge: (addresses, signal) => this.dial(hopKind(addresses[0] ?? '') ?? 'websocket', signal),
        isDialable: () => true,
        cut: (link) => void (this.links = this.links.filter((each) => each !== link)),
        bridgeConnections: () => this.links,
      },
      bridgeUrl: 'https://bridge.example',
      winners: {
        get: async () => this.winner,
        put: async (_network, _bridge, winner) => void (this.winner = { key: '', ...winner }),
      },
      networkName: () => 'wifi',
      log: createLog(Date.now),
      now: Date.now,
      steady: Date.now,
      askBridge: async (): Promise<BridgeAnswer> => {
        this.asked++
        return { ...bridge, guests: false, serverTime: 0, firstHops: session.firstHops }
      },
      lastSession: async () => this.last,
      logInAgain: async () => void this.logins++,
      onLink: () => undefined,
      isOut: () => true,
    })
    this.hops.setBridgePeer(BRIDGE)
  }

  /** What the dial comes to within twenty seconds. */
  async dialled(answer: SessionAnswer | undefined = session, signal: AbortSignal = never): Promise<string> {
    const dial = this.hops.dial(answer, false, signal).then(
      ({ kind }) => kind,
      (error: FootbridgeError) => error.code,
    )
    await vi.advanceTimersByTimeAsync(20_000)
    return dial
  }

  private async dial(kind: HopKind, signal: AbortSignal): Promise<Connection> {
    this.begun.push(kind)
    this.underway++
    try {
      const fate = this.fates[kind]
      await pause(fate === 'hangs' ? Infinity : typeof fate === 'number' ? fate : 20, signal)
      if (fate === 'is refused') throw new Error('refused')
      if (fate === 'wants a login' && this.logins === 0) throw new AggregateError([new FootbridgeError('unauthorized', 'log in again')])
      const link = { remoteAddr: { toString: () => ADDRESSES[kind] }, close: async () => void (this.links = []) } as unknown as Connection
      this.links.push(link)
      return link
    } finally {
      this.underway--
    }
  }
}

let world: World
beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 })
  world = new World()
})
afterEach(() => {
  world.hops.stop()
  vi.useRealTimers()
})

describe('the race ahead of a login', () => {
  test('needs no session, and its link is the one that the login uses', async () => {
    void world.hops.prepare()
    await vi.advanceTimersByTimeAsync(500)
    expect([world.begun, world.links.length, world.asked]).toEqual([['webtransport'], 1, 1])
    expect(await world.dialled()).toBe('webtransport')
    expect(world.begun).toEqual(['webtransport'])
  })

  test('goes on with the tunnel once there is a session, and what hung until then has had its time', async () => {
    world.fates = { webtransport: 'hangs', websocket: 'hangs', tunnel: 100 }
    world.hops.prepare().catch(() => undefined)
    await vi.advanceTimersByTimeAsync(5_000)
    const dial = world.hops.dial(session, false, never)
    await vi.advanceTimersByTimeAsync(150)
    expect((await dial).kind).toBe('tunnel')
    expect([world.begun, world.underway]).toEqual([['webtransport', 'websocket', 'tunnel'], 0])
  })

  test('is hung up when nobody logs in', async () => {
    void world.hops.prepare()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(world.links).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(90_000)
    expect(world.links).toHaveLength(0)
  })

  test('that came to nothing is begun anew', async () => {
    world.fates = { webtransport: 'is refused', websocket: 'is refused', tunnel: 'is refused' }
    await Promise.all([world.hops.prepare().catch(() => undefined), vi.advanceTimersByTimeAsync(1_000)])
    world.fates.websocket = 50
    expect(await world.dialled()).toBe('websocket')
  })
})

test('the winner is remembered for a day, and begins first', async () => {
  world.fates.webtransport = 'hangs'
  expect(await world.dialled()).toBe('websocket')
  expect(world.winner).toMatchObject({ kind: 'websocket' })
  for (const [passedMs, first] of [
    [23 * 60 * 60_000, 'websocket'],
    [25 * 60 * 60_000, 'webtransport'],
  ] as const) {
    world.hops.cutAll()
    world.begun = []
    world.winner = { key: '', kind: 'websocket', at: Date.now() - passedMs }
    await world.dialled()
    expect(world.begun[0]).toBe(first)
  }
})

test('another network is raced from the top, once', async () => {
  world.winner = { key: '', kind: 'tunnel', at: Date.now() }
  world.fates.webtransport = 'hangs'
  world.hops.networkChanged()
  expect(await world.dialled()).toBe('websocket')
  expect([world.begun, world.winner?.kind]).toEqual([['webtransport', 'websocket'], 'websocket'])
})

test('a session that knows addresses with old certificates loses no time: the WebSocket begins when they are refused', async () => {
  world.last = session
  world.fates.webtransport = 'is refused'
  const dial = world.hops.dial(undefined, false, never)
  await vi.advanceTimersByTimeAsync(100)
  expect((await dial).kind).toBe('websocket')
})

test('a bridge that forgot the session is told who asks, and then opens the tunnel', async () => {
  world.fates = { webtransport: 'hangs', websocket: 'hangs', tunnel: 'wants a login' }
  expect(await world.dialled()).toBe('tunnel')
  expect(world.logins).toBe(1)
})

test('a dial that fails says of each hop what broke', async () => {
  world.fates = { webtransport: 'is refused', websocket: 'is refused', tunnel: 'is refused' }
  const dial = world.hops.dial(session, false, never).catch((error: unknown) => error)
  await vi.advanceTimersByTimeAsync(5_000)
  const { code, cause } = (await dial) as FootbridgeError
  expect(code).toBe('unreachable')
  expect((cause as AggregateError).errors.map(String)).toEqual(
    ['webtransport', 'websocket', 'tunnel'].map((kind) => `HopError: ${kind}: refused (20 ms)`),
  )
})

test('tries that overlap dial the WebSocket each, and of the others one at a time', async () => {
  world.fates = { webtransport: 'hangs', websocket: 'hangs', tunnel: 'hangs' }
  const ends = Array.from({ length: 4 }, () => new AbortController())
  for (const end of ends) {
    world.hops.dial(session, false, end.signal).catch(() => undefined)
    await vi.advanceTimersByTimeAsync(700)
  }
  await vi.advanceTimersByTimeAsync(2_000)
  const times = (kind: HopKind): number => world.begun.filter((each) => each === kind).length
  expect([times('webtransport'), times('websocket'), times('tunnel')]).toEqual([1, 4, 1])
  for (const end of ends) end.abort()
  await vi.advanceTimersByTimeAsync(10)
  expect([world.underway, world.links]).toEqual([0, []])
})

test('a try in which nothing can begin any more, because all of it is at it already, is not taken for a refusal', async () => {
  world.fates = { webtransport: 'hangs', websocket: 'hangs', tunnel: 'hangs' }
  world.winner = { key: '', kind: 'tunnel', at: Date.now() }
  const end = new AbortController()
  world.hops.dial(session, false, end.signal).catch(() => undefined)
  await vi.advanceTimersByTimeAsync(2_000)
  expect(world.begun).toEqual(['tunnel', 'webtransport', 'websocket'])
  for (let attempt = 0; attempt < 2; attempt++)
    await expect(world.hops.dial(session, false, never)).rejects.toMatchObject({ code: 'unreachable' })
  expect([world.begun.length, world.asked]).toEqual([3, 0])
  end.abort()
})
