/**
 * The HTTPS tunnel from a real browser: where a WebSocket does not get through, the same libp2p connection over requests. The page is small and has none of
 * the app; the proxy is another origin to it, as a bridge is to an app that is served elsewhere.
 */
import { startHostileProxy, type Mischief } from '../../apps/bridge/src/test-hostile-proxy.ts'
import { openFirstHop } from '../bench/bare.ts'
import { createToken } from '../helpers/cli.ts'
import { expect, test } from './fixtures.ts'

const BYTES = 2_000_000

test.describe.configure({ timeout: 90_000 })

const cases: readonly (readonly [string, (request: { url?: string | undefined }, index: number) => Mischief])[] = [
  ['lets everything through', () => ({})],
  ['holds streams back', () => ({ holdsAnswer: true })],
  [
    'loses every sixth request or answer',
    (request, index) => ({
      [index % 12 === 4 ? 'losesRequest' : 'losesAnswer']: index % 6 === 4 && request.url?.includes('/down') !== true,
    }),
  ],
]

test('megabytes go both ways from another origin, through good proxies and bad', async ({ browser, bridge }) => {
  const contexts = [await browser.newContext(), await browser.newContext()]
  const [alice, bob] = [await contexts[0]!.newPage(), await contexts[1]!.newPage()]
  try {
    for (const page of [alice, bob]) await openFirstHop(page, bridge.origin)
    const { text } = await createToken(bridge, 'everybody')
    const peer = await bob.evaluate(([origin, token]) => firstHop.login(origin, token), [bridge.origin, text] as const)
    await bob.evaluate(async () => {
      await firstHop.dial('websocket')
      await firstHop.serve()
    })
    for (const [name, how] of cases) {
      await test.step(`through a proxy that ${name}`, async () => {
        const proxy = await startHostileProxy(bridge.port)
        try {
          await alice.evaluate(([origin, token]) => firstHop.login(origin, token), [proxy.origin, text] as const)
          proxy.behave(how)
          await alice.evaluate(() => firstHop.dial('tunnel'))
          expect(await alice.evaluate(() => firstHop.address())).toContain(`/ip4/127.0.0.1/tcp/${proxy.port}/http/http-path/`)
          for (const direction of ['up', 'down'] as const)
            await alice.evaluate(([way, to, bytes]) => firstHop.carry(way, to, bytes), [direction, peer, BYTES] as const)
          expect(await alice.evaluate(() => firstHop.isOpen())).toBe(true)
          // A browser has six connections for one origin.
          expect(proxy.maxOpen()).toBeLessThanOrEqual(4)
        } finally {
          await proxy.stop()
        }
      })
    }
  } finally {
    for (const context of contexts) await context.close()
  }
})
