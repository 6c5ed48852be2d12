import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { beforeAll, beforeEach, expect, test } from 'vitest'
import type { PeerAddress } from './addresses.ts'
import { createDials, type Dials } from './dials.ts'
import { MAX_PENDING_DIALS } from './limits.ts'

const makePeer = async (): Promise<string> => peerIdFromPrivateKey(await generateKeyPair('Ed25519')).toString()
let own: string
let bob: string
let dials: Dials
let stopping: AbortController
let underway: { readonly to: PeerAddress; readonly end: PromiseWithResolvers<void> }[]
let isConnected: boolean

beforeAll(async () => {
  own = await makePeer()
  bob = await makePeer()
})
beforeEach(() => {
  underway = []
  isConnected = false
  stopping = new AbortController()
  dials = createDials({
    own,
    isConnected: () => isConnected,
    dial(to) {
      const end = Promise.withResolvers<void>()
      underway.push({ to, end })
      return end.promise
    },
    signal: stopping.signal,
  })
})

const at = (peer: string, port = 4001): string => `/ip4/127.0.0.1/tcp/${port}/p2p/${peer}`

test('a second dial to a peer that is being dialled shares the first, also at another address, and a later one is new', async () => {
  const both = [dials.dial(at(bob)), dials.dial(at(bob, 4002))]
  expect(underway).toHaveLength(1)
  underway[0]?.end.resolve()
  expect(await Promise.all(both)).toEqual([bob, bob])
  const failed = dials.dial(at(bob, 4002))
  expect(underway).toHaveLength(2)
  underway[1]?.end.reject(new Error('refused'))
  await expect(failed).rejects.toMatchObject({ code: 'peer_unreachable' })
})

test('who calls off stops waiting, and the other who waits for that dial still gets its end', async () => {
  const patient = dials.dial(at(bob))
  const caller = new AbortController()
  const calledOff = dials.dial(at(bob), caller.signal)
  caller.abort()
  await expect(calledOff).rejects.toMatchObject({ code: 'aborted' })
  underway[0]?.end.resolve()
  expect(await patient).toBe(bob)
})

test('a peer that is connected is not dialled', async () => {
  isConnected = true
  expect(await dials.dial(at(bob))).toBe(bob)
  expect(underway).toHaveLength(0)
})

test.each([
  ['/ip4/127.0.0.1/tcp/4001', 'it names no peer'],
  ['/ip4/127.0.0.1/tcp/4001/p2p', 'the peer is missing'],
  ['127.0.0.1:4001', 'it is no multiaddr'],
  ['', 'it is empty'],
  [`/dns/${'a'.repeat(3000)}/tcp/1`, 'it is too long'],
])('%s is refused: %s', async (address) => {
  await expect(dials.dial(address)).rejects.toMatchObject({ code: 'bad_request' })
  await expect(dials.bootstrap([at(bob), address])).rejects.toMatchObject({ code: 'bad_request' })
  expect(underway).toHaveLength(0)
})

test('a program does not dial itself', async () => {
  await expect(dials.dial(at(own))).rejects.toMatchObject({ code: 'bad_request' })
})

test('bootstrap gives those who were reached, and fails when nobody was', async () => {
  const charlie = await makePeer()
  const some = dials.bootstrap([at(bob), at(charlie)])
  underway[0]?.end.reject(new Error('refused'))
  underway[1]?.end.resolve()
  expect(await some).toEqual([charlie])
  const none = dials.bootstrap([at(bob)])
  underway[2]?.end.reject(new Error('refused'))
  await expect(none).rejects.toMatchObject({ code: 'peer_unreachable' })
})

test('more dials at a time than there may be are refused, and closing calls those off that are under way', async () => {
  const peers = await Promise.all(Array.from({ length: MAX_PENDING_DIALS }, makePeer))
  const all = Promise.allSettled(peers.map((peer) => dials.dial(at(peer))))
  await expect(dials.dial(at(bob))).rejects.toMatchObject({ code: 'rate_limited' })
  stopping.abort()
  const codes = (await all).map((end) => end.status === 'rejected' && (end.reason as { code: string }).code)
  expect(codes).toEqual(peers.map(() => 'aborted'))
})
