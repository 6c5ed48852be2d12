import { FootbridgeError } from '@footbridge/shared/errors'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { BridgeNotices, ConnectionState, Findable, LogEntry, Peer, Transfer } from '../api.ts'
import type { Room } from '../rooms/room.ts'
import { NO_NOTICES } from '../notices.ts'
import { writable, type Writable } from '../observable.ts'
import { createFollowerEnd, type FollowerEnd } from './follower-end.ts'
import { createLeaderEnd, type LeaderEnd } from './leader-end.ts'
import type { Acts, Mirror, TabMessage } from './messages.ts'

const peer = (id: string, change: Partial<Peer> = {}): Peer => ({
  id,
  name: id,
  picture: undefined,
  device: 'browser',
  online: true,
  since: 1,
  path: { kind: 'none' },
  unread: 0,
  lastMessage: undefined,
  ...change,
})
const away: ConnectionState = { state: 'away', code: 'unreachable', attempt: 1, retryAt: 5 }

let connection: Writable<ConnectionState>
let peers: Writable<readonly Peer[]>
let report: (transfer: Transfer) => void
let mirrors: Mirror[]
let told: TabMessage[]
let leader: LeaderEnd
let follower: FollowerEnd
let dial: (target: string) => Promise<string>
/** Messages on the channel are copies, given later. */
const carry = (to: () => { take(message: TabMessage): void }) => (message: TabMessage) => {
  told.push(message)
  queueMicrotask(() => to().take(structuredClone(message)))
}

beforeEach(() => {
  vi.useFakeTimers()
  ;[mirrors, told] = [[], []]
  connection = writable<ConnectionState>(away)
  peers = writable<readonly Peer[]>([peer('alice'), peer('bob')])
  dial = async (target) => `dialled ${target}`
  const refused = (): Promise<never> => Promise.reject(new FootbridgeError('token_revoked', 'no'))
  const nothing = async (): Promise<void> => undefined
  const acts: Acts = {
    login: refused,
    logout: nothing,
    setVisibility: nothing,
    dial: (target) => dial(target),
    retryNow: nothing,
    upgrade: nothing,
    fetch: nothing,
    pause: nothing,
    removeBlob: nothing,
    importIdentity: nothing,
    forget: nothing,
    joinRoom: async (name) => name,
    leaveRoom: nothing,
    sayInRoom: nothing,
    offerInRoom: nothing,
    fetchInRoom: nothing,
    readRoom: nothing,
    clearRoom: nothing,
    setRoomTopics: nothing,
  }
  leader = createLeaderEnd(
    {
      connection,
      notices: writable<BridgeNotices>(NO_NOTICES),
      findable: writable<Findable>({ choice: 'bridge', places: [], isSupported: undefined }),
      log: writable<readonly LogEntry[]>([]),
      peers,
      rooms: writable<readonly Room[]>([]),
      transfers: { onReport: (listener) => ((report = listener), () => undefined), all: () => [] },
      addresses: () => ['/address'],
      bridgeUrl: () => 'https://bridge.example',
    },
    acts,
    carry(() => follower),
  )
  follower = createFollowerEnd(
    'second',
    carry(() => leader),
    (mirror) => mirrors.push(mirror),
    1_000,
  )
})
afterEach(() => {
  leader.stop()
  follower.stop()
  vi.useRealTimers()
})

test('who asks first is shown everything, then what changes, together', async () => {
  follower.ask()
  await vi.advanceTimersByTimeAsync(0)
  expect(mirrors[0]).toMatchObject({
    connection: away,
    addresses: ['/address'],
    bridgeUrl: 'https://bridge.example',
    peers: { whole: true },
  })
  expect(mirrors[0]?.peers?.changed.map(({ id }) => id)).toEqual(['alice', 'bob'])
  const before = mirrors.length
  peers.set([peer('alice'), peer('bob', { unread: 1 })])
  peers.set([peer('bob', { unread: 2 }), peer('charlie')])
  await vi.advanceTimersByTimeAsync(200)
  expect(mirrors.slice(before)).toEqual([
    { peers: { whole: false, changed: [peer('bob', { unread: 2 }), peer('charlie')], gone: ['alice'] } },
  ])
})

test('while nobody follows nothing is told', async () => {
  follower.stop()
  await vi.advanceTimersByTimeAsync(11_000)
  const before = told.length
  for (let n = 0; n < 100; n++) connection.set({ ...away, attempt: n })
  report({ cid: 'c' } as Transfer)
  await vi.advanceTimersByTimeAsync(60_000)
  expect(told.length).toBe(before)
})

test('an act is done by the leader, with its answer or its error', async () => {
  await expect(follower.call('dial', 'bob')).resolves.toBe('dialled bob')
  await expect(follower.call('login', { guest: true })).rejects.toMatchObject({ code: 'token_revoked' })
})

test('a leader that does not answer, or goes, is waited for no longer than the deadline', async () => {
  dial = () => new Promise(() => undefined)
  const late = expect(follower.call('dial', 'bob')).rejects.toMatchObject({ code: 'timeout' })
  await vi.advanceTimersByTimeAsync(1_100)
  await late
  const gone = expect(follower.call('dial', 'bob')).rejects.toMatchObject({ code: 'timeout' })
  follower.stop()
  await gone
})

test('acts are bounded at both ends', async () => {
  dial = () => new Promise(() => undefined)
  const calls = Array.from({ length: 65 }, () => follower.call('dial', 'bob').catch((error: FootbridgeError) => error.code))
  expect(await calls[64]).toBe('rate_limited')
  await vi.advanceTimersByTimeAsync(1_100)
  expect(new Set(await Promise.all(calls.slice(0, 64)))).toEqual(new Set(['timeout']))
})

test('an act of another version of the app is refused', async () => {
  await expect(follower.call('constructor' as 'logout')).rejects.toMatchObject({ code: 'bad_request' })
})
