/** How the bridge asks rendezvous points: what it shows them, and what it does when they refuse it. */
import { RendezvousError } from '@footbridge/protocols/rendezvous/rendezvous-error'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { expect, it } from 'vitest'
import { createPoints, type PointClient } from './points.ts'

const { signal } = new AbortController()
const makePoint = async (): Promise<string> => peerIdFromPrivateKey(await generateKeyPair('Ed25519')).toString()

/** Gives the cookies 1, 2, 3 …, and refuses that of `refused`. */
function fakePoint(refused?: number): { client: PointClient; shown: (number | undefined)[] } {
  const shown: (number | undefined)[] = []
  const client: PointClient = {
    register: (_point, namespace) => Promise.resolve({ ttlSeconds: namespace === 'short' ? 60 : 7_200, form: 'legacy' }),
    unregister: () => Promise.resolve(),
    discover(_point, options) {
      const cookie = options?.cookie?.[0]
      shown.push(cookie)
      if (cookie !== undefined && cookie === refused) return Promise.reject(new RendezvousError('invalid_cookie', 'of no use any more'))
      return Promise.resolve({ found: [], cookie: Uint8Array.of(shown.length), received: 0 })
    },
  }
  return { client, shown }
}

it('shows each point its own last cookie', async () => {
  const { client, shown } = fakePoint()
  const points = createPoints({ client, namespaces: ['one'] })
  const [alice, bob] = [await makePoint(), await makePoint()]
  for (const point of [alice, bob, alice, bob]) await points.discover(point, signal)
  expect(shown).toEqual([undefined, undefined, 1, 2])
})

it('forgets a cookie that the point refuses, and asks again for everything', async () => {
  const { client, shown } = fakePoint(1)
  const points = createPoints({ client, namespaces: ['one'] })
  const point = await makePoint()
  await points.discover(point, signal)
  await points.discover(point, signal)
  await points.discover(point, signal)
  expect(shown).toEqual([undefined, 1, undefined, 3])
})

it('is registered for as long as in the namespace that ends first', async () => {
  const points = createPoints({ client: fakePoint().client, namespaces: ['long', 'short'] })
  expect(await points.register(await makePoint(), signal)).toBe(60_000)
})
