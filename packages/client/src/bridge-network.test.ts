import type { BridgeNetwork } from '@footbridge/shared/bridge-network'
import type { SessionAnswer } from '@footbridge/shared/login'
import { expect, test } from 'vitest'
import type { ConnectionState } from './api.ts'
import { askBridgeNetwork } from './bridge-network.ts'

const TOLD: BridgeNetwork = {
  reachability: 'reachable',
  testedAt: null,
  relays: { known: 1, accepted: 0 },
  rendezvous: { known: 0, registered: 0 },
  peers: { total: 2, bySource: { mdns: 2 } },
}
const SESSION = { accessToken: 'a.b.c' } as SessionAnswer
const ONLINE: ConnectionState = {
  state: 'online',
  session: SESSION,
  firstHop: { kind: 'websocket', address: '/dns4/bridge.invalid/tcp/443/wss', rttMs: 12 },
  done: [],
}

const ask = (answer: () => Promise<Response>, state: ConnectionState = ONLINE, seen: Request[] = []): Promise<BridgeNetwork> =>
  askBridgeNetwork({
    connection: () => state,
    bridgeUrl: () => 'https://bridge.invalid',
    fetch: async (input, init) => {
      seen.push(new Request(input, init))
      return answer()
    },
  })

test('the bridge is asked with this session, and what it tells is given', async () => {
  const seen: Request[] = []
  expect(await ask(async () => Response.json({ ...TOLD, later: 'field' }), ONLINE, seen)).toEqual(TOLD)
  expect([seen[0]?.url, seen[0]?.headers.get('authorization')]).toEqual(['https://bridge.invalid/api/v1/network', 'Bearer a.b.c'])
})

test.each([
  ['an older bridge', async () => new Response('', { status: 404 }), 'not_found'],
  ['a proxy’s page', async () => new Response('<p>hello'), 'unreachable'],
  ['another shape', async () => Response.json({ reachability: 'perhaps' }), 'unreachable'],
  ['a refusal', async () => Response.json(TOLD, { status: 401 }), 'unreachable'],
  ['no answer', async () => Promise.reject(new TypeError('no network')), 'unreachable'],
])('%s is an error with a code', async (_what, answer, code) => {
  await expect(ask(answer)).rejects.toMatchObject({ code })
})

test('nobody is asked while the bridge is away', async () => {
  const seen: Request[] = []
  await expect(ask(async () => Response.json(TOLD), { state: 'out' }, seen)).rejects.toMatchObject({ code: 'unreachable' })
  expect(seen).toEqual([])
})
