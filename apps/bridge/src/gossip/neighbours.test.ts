import { generateKeyPair } from '@libp2p/crypto/keys'
import type { PeerId } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { MAX_NEIGHBOUR_ADDRESSES, MAX_NEIGHBOURS, neighboursAnswerSchema } from '@footbridge/shared/room-neighbours'
import type { FootbridgeError } from '@footbridge/shared/errors'
import { beforeEach, expect, test } from 'vitest'
import * as v from 'valibot'
import type { Session } from '../peers/session.ts'
import { createNeighbours, type Neighbours } from './neighbours.ts'
import { createGossipRoutes } from './routes.ts'

let alice: PeerId
let bob: PeerId
let native: PeerId
let subscribers: Map<string, PeerId[]>
let addresses: Map<string, string[]>
let neighbours: Neighbours

const someone = async (): Promise<PeerId> => peerIdFromPrivateKey(await generateKeyPair('Ed25519'))

beforeEach(async () => {
  ;[alice, bob, native] = await Promise.all([someone(), someone(), someone()])
  const sessions = new Set([alice.toString(), bob.toString()])
  subscribers = new Map([['harbour', [alice, bob, native]]])
  addresses = new Map()
  neighbours = createNeighbours({
    pubsub: { getSubscribers: (topic) => subscribers.get(topic) ?? [] },
    node: {
      peerStore: {
        async get(peer: PeerId) {
          const known = addresses.get(peer.toString())
          if (known === undefined) throw new Error('not known')
          return { addresses: known.map((address) => ({ multiaddr: multiaddr(address), isCertified: false })) }
        },
      } as never,
    },
    registry: { get: (id) => (sessions.has(id) ? ({ state: 'connected' } as Session) : undefined) },
  })
})

test('whoever is in a room learns of the native peers there and how they are dialled', async () => {
  addresses.set(native.toString(), ['/ip4/192.0.2.7/tcp/4001', `/ip4/192.0.2.7/tcp/4002/ws/p2p/${native.toString()}`])
  expect(await neighbours(alice.toString(), 'harbour')).toEqual([
    {
      peer: native.toString(),
      addresses: [`/ip4/192.0.2.7/tcp/4001/p2p/${native.toString()}`, `/ip4/192.0.2.7/tcp/4002/ws/p2p/${native.toString()}`],
    },
  ])
})

test('a native peer that has told no address is there all the same', async () => {
  expect(await neighbours(alice.toString(), 'harbour')).toEqual([{ peer: native.toString(), addresses: [] }])
})

test('whoever is not in the room learns nothing', async () => {
  expect(await neighbours(alice.toString(), 'elsewhere')).toBeUndefined()
  subscribers.set('harbour', [bob, native])
  expect(await neighbours(alice.toString(), 'harbour')).toBeUndefined()
})

test('an answer ends somewhere, and is what the client reads', async () => {
  const crowd = await Promise.all(Array.from({ length: MAX_NEIGHBOURS + 5 }, someone))
  for (const peer of crowd)
    addresses.set(
      peer.toString(),
      Array.from({ length: MAX_NEIGHBOUR_ADDRESSES + 5 }, (_, index) => `/ip4/192.0.2.7/tcp/${4001 + index}`),
    )
  subscribers.set('harbour', [alice, ...crowd])
  const answer = { neighbours: await neighbours(alice.toString(), 'harbour') }
  const read = v.parse(neighboursAnswerSchema, answer)
  expect(read.neighbours).toHaveLength(MAX_NEIGHBOURS)
  expect(read.neighbours[0]?.addresses).toHaveLength(MAX_NEIGHBOUR_ADDRESSES)
})

test('over HTTP the access token says who asks', async () => {
  const routes = createGossipRoutes({
    neighbours,
    verifyAccessToken: async (jwt) => (jwt === 'alices' ? { sub: alice.toString() } : undefined),
  })
  const refused: unknown[] = []
  routes.onError((error, context) => {
    refused.push((error as FootbridgeError).code)
    return context.body(null, 400)
  })
  const ask = (topic: string, token = 'alices') =>
    routes.request(`/rooms/neighbours?topic=${encodeURIComponent(topic)}`, { headers: { authorization: `Bearer ${token}` } })
  const response = await ask('harbour')
  expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'no-store'])
  expect(await response.json()).toEqual({ neighbours: [{ peer: native.toString(), addresses: [] }] })
  await ask('harbour', 'forged')
  await ask('')
  await ask('x'.repeat(257))
  await ask('elsewhere')
  expect(refused).toEqual(['unauthorized', 'bad_request', 'bad_request', 'not_found'])
})
