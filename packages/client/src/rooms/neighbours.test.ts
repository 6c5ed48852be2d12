import { beforeEach, expect, test } from 'vitest'
import { ASK_NEIGHBOURS_EVERY_MS } from './limits.ts'
import { createNeighbours, type Neighbours } from './neighbours.ts'

const NATIVE = { peer: '12D3KooWNative', addresses: ['/ip4/192.0.2.7/udp/9095/quic-v1/webtransport/p2p/12D3KooWNative'] }

let asked: { url: string; authorization: string | null }[]
let answer: () => Promise<Response>
let token: string | undefined
let clock: number
let neighbours: Neighbours

beforeEach(() => {
  asked = []
  answer = async () => Response.json({ neighbours: [NATIVE] })
  token = 'jwt'
  clock = 1_000_000
  neighbours = createNeighbours({
    bridgeUrl: 'https://bridge.example',
    async fetch(input, init) {
      asked.push({ url: input as string, authorization: new Headers(init?.headers).get('authorization') })
      return answer()
    },
    accessToken: () => token,
    steady: () => clock,
    signal: new AbortController().signal,
  })
})

test('the bridge is asked who is in the room, as the session', async () => {
  expect(await neighbours.of('a & b', false)).toEqual([NATIVE])
  expect(asked).toEqual([{ url: 'https://bridge.example/api/v1/rooms/neighbours?topic=a%20%26%20b', authorization: 'Bearer jwt' }])
})

test('it is asked again only after a while, unless it is urgent', async () => {
  await neighbours.of('harbour', false)
  clock += ASK_NEIGHBOURS_EVERY_MS - 1
  await neighbours.of('harbour', false)
  expect(asked).toHaveLength(1)
  await neighbours.of('harbour', true)
  expect(asked).toHaveLength(2)
  clock += ASK_NEIGHBOURS_EVERY_MS
  await neighbours.of('harbour', false)
  expect(asked).toHaveLength(3)
})

test('a question that is under way is not asked twice, however urgent', async () => {
  const { promise, resolve } = Promise.withResolvers<Response>()
  answer = () => promise
  const both = Promise.all([neighbours.of('harbour', false), neighbours.of('harbour', true)])
  resolve(Response.json({ neighbours: [NATIVE] }))
  expect(await both).toEqual([[NATIVE], [NATIVE]])
  expect(asked).toHaveLength(1)
})

test.each([
  ['an error', async () => Response.json({ code: 'not_found' }, { status: 404 })],
  ['a network that is away', async () => Promise.reject(new TypeError('failed to fetch'))],
  ['what is no JSON', async () => new Response('<html>')],
  ['what is no list', async () => Response.json({ neighbours: 'many' })],
  ['too much', async () => new Response(' '.repeat(1024 * 1024 + 1))],
])('%s tells of nobody', async (_what, given) => {
  answer = given
  expect(await neighbours.of('harbour', false)).toEqual([])
})

test('without a session nobody is asked, and with the next one at once', async () => {
  token = undefined
  expect(await neighbours.of('harbour', false)).toEqual([])
  token = 'jwt'
  expect(asked).toEqual([])
  expect(await neighbours.of('harbour', false)).toEqual([NATIVE])
})
