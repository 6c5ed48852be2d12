/**
 * The race of the first hops, in networks that let less and less through: WebTransport, WebSocket, HTTPS tunnel. Whatever comes in carries everything, the
 * others leave nothing behind, and the winner of a network is remembered until it is another network.
 */
import type { BrowserContext, Page } from '@playwright/test'
import { nativeNode } from '../../scripts/newer-glibc.ts'
import type { Engine } from '../engines/engines.ts'
import { notIn } from '../engines/not-in.ts'
import { hashFile, randomFile } from '../helpers/random-file.ts'
import { freePort, startBridge } from '../helpers/start-bridge.ts'
import { startSwallowingProxy, swallowUdp, type SwallowingProxy } from '../helpers/swallowing-proxy.ts'
import { expect, test as base, type Person } from './fixtures.ts'

/** What stands between the people and their bridge. */
interface Network {
  readonly proxy: SwallowingProxy
  swallowUdp(): void
  letUdpPass(): void
}

const FILE_BYTES = 3_000_000
/** On a machine that has too much to do the second may come in before the first; then the device moves when it looks, twenty seconds later. */
const SOON = { timeout: 60_000 }

const test = base.extend<{ frontPort: number; network: Network }>({
  // oxlint-disable-next-line no-empty-pattern
  frontPort: async ({}, use) => use(await freePort()),
  // People come through a proxy; WebTransport goes past it.
  bridge: async ({ frontPort }, use, info) => {
    const bridge = await startBridge(['--public-url', `http://localhost:${frontPort}`], {}, undefined, nativeNode())
    expect(bridge.output).toMatch(new RegExp(`WebTransport +UDP port ${bridge.port}`))
    await use(bridge)
    if (info.status !== info.expectedStatus) await info.attach('bridge.log', { body: bridge.output, contentType: 'text/plain' })
    await bridge.remove()
  },
  network: async ({ bridge, frontPort }, use) => {
    const proxy = await startSwallowingProxy(frontPort, bridge.port)
    let letUdpPass = (): void => undefined
    await use({
      proxy,
      swallowUdp() {
        letUdpPass = swallowUdp(bridge.port)
      },
      letUdpPass: () => letUdpPass(),
    })
    letUdpPass()
    await proxy.stop()
  },
})

test.describe.configure({ timeout: 180_000 })

/** Counts what the page opens and has not closed. */
async function countLinks(context: BrowserContext): Promise<void> {
  await context.addInitScript(() => {
    const open = { webtransport: 0, websocket: 0 }
    const begun: string[] = []
    Object.assign(globalThis, { openLinks: open, begunHops: begun })
    const count = (kind: keyof typeof open, closed: Promise<unknown>): void => {
      begun.push(kind)
      open[kind]++
      const end = (): void => void open[kind]--
      closed.then(end, end)
    }
    globalThis.WebSocket = class extends WebSocket {
      constructor(...args: ConstructorParameters<typeof WebSocket>) {
        super(...args)
        count('websocket', new Promise((resolve) => this.addEventListener('close', resolve)))
      }
    }
    if (typeof WebTransport === 'undefined') return
    globalThis.WebTransport = class extends WebTransport {
      constructor(...args: ConstructorParameters<typeof WebTransport>) {
        super(...args)
        count('webtransport', this.closed)
      }
    }
  })
}

/** The best hop that an engine has: WebKitGTK has no WebTransport. */
const BEST = { chromium: 'hop_webtransport', firefox: 'hop_webtransport', webkit: 'hop_websocket' } as const

/** Reloads, and looks over what the page comes in, what it holds open then, and what it began with. */
async function expectAfterReload(
  { context, page, app }: Person,
  engine: Engine,
  hop: 'hop_webtransport' | 'hop_websocket' | 'hop_tunnel',
  open: { webtransport: number; websocket: number },
  first?: 'webtransport' | 'websocket',
): Promise<void> {
  // WebKit's driver runs no script before those of a page, so nothing can be counted there.
  const isCounted = engine !== 'webkit'
  if (isCounted) await countLinks(context)
  await page.reload()
  await expect(app.hop(hop)).toBeVisible(SOON)
  if (!isCounted) return
  await expect.poll(() => openLinks(page)).toEqual(open)
  if (first !== undefined) expect((await begunHops(page))[0]).toBe(first)
}

const openLinks = (page: Page): Promise<object> => page.evaluate(() => Reflect.get(globalThis, 'openLinks') as object)
const begunHops = (page: Page): Promise<string[]> => page.evaluate(() => Reflect.get(globalThis, 'begunHops') as string[])

/** What this browser has written down as the winner of its network. */
const rememberedHops = (page: Page): Promise<string[]> =>
  page.evaluate(async () => {
    const opening = indexedDB.open((await indexedDB.databases())[0]?.name ?? '')
    await new Promise((resolve) => opening.addEventListener('success', resolve))
    const asking = opening.result.transaction('winners').objectStore('winners').getAll()
    await new Promise((resolve) => asking.addEventListener('success', resolve))
    opening.result.close()
    return (asking.result as { kind: string }[]).map(({ kind }) => kind)
  })

/** Messages both ways, presence, a file, and a message after everything that is open through the proxy was cut. */
async function everythingWorks(alice: Person, bob: Person, network: Network): Promise<void> {
  await expect(alice.app.here('bob')).toBeVisible()
  await alice.app.open('bob')
  await alice.app.say('can you hear me?')
  await bob.app.open('alice')
  await expect(bob.app.message('can you hear me?')).toBeVisible()
  await bob.app.say('I can')
  await expect(alice.app.message('I can')).toBeVisible()
  const file = await randomFile(FILE_BYTES)
  try {
    await alice.app.sendFile(file.path)
    await expect(bob.app.file(file.name)).toBeVisible({ timeout: 30_000 })
    await bob.app.getFile(file.name)
    await bob.app.complete(file.name)
    expect(await hashFile(await bob.app.save(file.name))).toBe(file.sha256)
  } finally {
    await file.remove()
  }
  network.proxy.cut()
  await alice.app.say('and now?')
  await expect(bob.app.message('and now?')).toBeVisible({ timeout: 30_000 })
  await alice.app.online()
  await bob.app.online()
}

test('where nothing is blocked, the best that the browser has comes in, and nothing else stays open', async ({
  engine,
  person,
  network,
}) => {
  network.proxy.letUpgradesPass(true)
  const [alice, bob] = [await person('alice'), await person('bob')]
  for (const { app } of [alice, bob]) await expect(app.hop(BEST[engine])).toBeVisible(SOON)
  await everythingWorks(alice, bob, network)
  await expectAfterReload(alice, engine, BEST[engine], { webtransport: 1, websocket: 0 }, 'webtransport')
})

test('where UDP is swallowed, the WebSocket comes in, and comes in first the next time', async ({ engine, person, network }) => {
  network.proxy.letUpgradesPass(true)
  network.swallowUdp()
  const [alice, bob] = [await person('alice'), await person('bob')]
  for (const { app } of [alice, bob]) await expect(app.hop('hop_websocket')).toBeVisible()
  await everythingWorks(alice, bob, network)
  await expectAfterReload(alice, engine, 'hop_websocket', { webtransport: 0, websocket: 1 }, 'websocket')
})

test('where upgrades are swallowed too, the tunnel comes in, and comes in first the next time', async ({ engine, person, network }) => {
  network.swallowUdp()
  const [alice, bob] = [await person('alice'), await person('bob')]
  for (const { app } of [alice, bob]) await expect(app.hop('hop_tunnel')).toBeVisible()
  expect(network.proxy.swallowed()).toBeGreaterThan(0)
  await everythingWorks(alice, bob, network)
  await expectAfterReload(alice, engine, 'hop_tunnel', { webtransport: 0, websocket: 0 })
  expect(await rememberedHops(alice.page)).toEqual(['tunnel'])
})

test('over the tunnel, a bridge that restarted gets its people back', async ({ bridge, person, network }) => {
  network.swallowUdp()
  const [alice, bob] = [await person('alice'), await person('bob')]
  for (const { app } of [alice, bob]) await expect(app.hop('hop_tunnel')).toBeVisible()
  await alice.app.open('bob')
  await bob.app.open('alice')
  // It opens tunnels for sessions alone, and knows of none any more.
  await bridge.kill()
  await expect(alice.app.hop('hop_away')).toBeVisible({ timeout: 40_000 })
  await bridge.restart()
  await expect(alice.app.hop('hop_tunnel')).toBeVisible({ timeout: 40_000 })
  await expect(bob.app.hop('hop_tunnel')).toBeVisible({ timeout: 40_000 })
  await alice.app.say('still you?')
  await expect(bob.app.message('still you?')).toBeVisible({ timeout: 30_000 })
})

test('another network is raced from the top: from the tunnel to the best that it has, without a reload', async ({
  engine,
  person,
  network,
}) => {
  network.swallowUdp()
  const alice = await person('alice')
  await expect(alice.app.hop('hop_tunnel')).toBeVisible()
  network.letUdpPass()
  network.proxy.letUpgradesPass(true)
  await alice.page.evaluate(() => globalThis.dispatchEvent(new Event('online')))
  await expect(alice.app.hop(BEST[engine])).toBeVisible(SOON)
  const bob = await person('bob')
  await expect(bob.app.here('alice')).toBeVisible()
  await bob.app.open('alice')
  await bob.app.say('found you')
  await expect(bob.app.message('found you')).toBeVisible()
  await alice.app.open('bob')
  await expect(alice.app.message('found you')).toBeVisible()
})

test(
  'a WebTransport link that falls silent is left for the WebSocket',
  notIn({ webkit: 'it has no WebTransport' }),
  async ({ person, network }) => {
    network.proxy.letUpgradesPass(true)
    const alice = await person('alice')
    await expect(alice.app.hop('hop_webtransport')).toBeVisible(SOON)
    network.swallowUdp()
    await expect(alice.app.hop('hop_websocket')).toBeVisible({ timeout: 30_000 })
  },
)

test('the Connection page says over what, and what that is', async ({ person, network }) => {
  network.swallowUdp()
  const alice = await person('alice')
  await alice.app.go('network')
  await expect(alice.page.getByText(/Ordinary web requests/)).toBeVisible()
  await expect(alice.page.getByText(/http-path/).first()).toBeVisible()
})
