/**
 * Point 2: logging in. Where the secrets are, and where they are not; what a person reads when it does not work; coming back without asking.
 */
import type { Page } from '@playwright/test'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { launchPersistent } from '../engines/engines.ts'
import { notIn } from '../engines/not-in.ts'
import { App } from '../helpers/app.ts'
import { createToken, expireToken, revokeToken } from '../helpers/cli.ts'
import { pattern, words } from '../helpers/words.ts'
import { expect, test } from './fixtures.ts'

const NO_REQUESTS = 'WebKitWebDriver tells nothing of what a page asks of the network'

test(
  'takes the token out of the address bar before anything is asked of the bridge',
  notIn({ webkit: NO_REQUESTS }),
  async ({ page, bridge }) => {
    const { link, text } = await createToken(bridge, 'alice')
    const seen: string[] = []
    page.on('request', (request) => {
      seen.push(request.url())
      if (request.url().includes('/api/')) seen.push(page.url())
    })
    await new App(page).arrive(link, 'alice')
    expect(seen.some((url) => url.includes('/api/'))).toBe(true)
    expect(seen.filter((url) => url.includes(text))).toEqual([])
    expect(page.url()).not.toContain('token')
    expect(
      await page.evaluate(() => JSON.stringify([history.state, Object.entries(localStorage), Object.entries(sessionStorage)])),
    ).not.toContain(text)
  },
)

test(
  'comes in though the network changes while the app loads, which tears every request under way',
  notIn({ firefox: 'only Chromium’s tools can tear a request of our choosing', webkit: NO_REQUESTS }),
  async ({ page, bridge }) => {
    const torn = new Set<string>()
    await page.route(/\/assets\/(open|network|Pages)-[^/]*\.js$|\/api\/v1\/sessions$/, async (route) => {
      const url = route.request().url()
      if (torn.has(url)) return route.continue()
      torn.add(url)
      return route.abort('internetdisconnected')
    })
    await new App(page).arrive((await createToken(bridge, 'alice')).link, 'alice')
    expect(torn.size).toBe(4)
  },
)

test.describe('says in a plain sentence that a token', () => {
  const unknown = `fb1_${'A'.repeat(43)}`

  test('is not of this bridge', async ({ page, bridge }) => {
    await page.goto(`${bridge.origin}/#token=${unknown}`)
    await expect(new App(page).trouble).toHaveText(words('error_token_unknown'))
  })

  test('is none at all', async ({ page, bridge }) => {
    await page.goto(bridge.origin)
    const app = new App(page)
    await app.submitToken('open sesame')
    await expect(app.trouble).toHaveText(words('arrive_field_malformed'))
  })

  test('has expired', async ({ page, bridge }) => {
    const token = await createToken(bridge, 'alice')
    expireToken(bridge, token.id)
    await page.goto(token.link)
    await expect(new App(page).trouble).toHaveText(words('error_token_expired'))
  })

  test('is revoked', async ({ page, bridge }) => {
    const token = await createToken(bridge, 'alice')
    await revokeToken(bridge, token.id)
    await page.goto(token.link)
    await expect(new App(page).trouble).toHaveText(words('error_token_revoked'))
  })

  test('has as many devices as it may', async ({ page, person }) => {
    const alice = await person('alice', ['--devices', '1'])
    await page.goto(alice.token.link)
    await expect(new App(page).trouble).toHaveText(words('error_token_devices_full'))
  })

  test('was tried too often from here', async ({ page, bridge }) => {
    const app = new App(page)
    await page.goto(bridge.origin)
    let tries = 0
    await expect(async () => {
      tries++
      await app.submitToken(unknown)
      // Once it has heard, the page says what came of it, and the button can be pressed again.
      await expect(page.getByRole('button', { name: words('arrive_entering') })).toHaveCount(0)
      await expect(app.trouble).toHaveText(pattern('error_rate_limited'), { timeout: 1 })
    }).toPass({ intervals: [0], timeout: 30_000 })
    expect(tries).toBeGreaterThan(5)
    expect(tries).toBeLessThan(40)
  })
})

test(
  'keeps the private key in the browser: it is in IndexedDB and in nothing that leaves',
  notIn({ webkit: NO_REQUESTS }),
  async ({ page, bridge }) => {
    const sent: Buffer[] = []
    page.on('request', (request) =>
      sent.push(Buffer.from(request.url()), Buffer.from(JSON.stringify(request.headers())), request.postDataBuffer() ?? Buffer.alloc(0)),
    )
    page.on('websocket', (socket) => socket.on('framesent', ({ payload }) => sent.push(Buffer.from(payload))))
    const { link } = await createToken(bridge, 'alice')
    await new App(page).arrive(link, 'alice')

    const key = Buffer.from(await readPrivateKey(page))
    expect(key.length).toBeGreaterThanOrEqual(32)
    // A libp2p key is four bytes of protobuf, the 32-byte seed, then the public half, which is no secret.
    const seed = key.subarray(4, 36)
    const all = Buffer.concat(sent)
    expect(all.length).toBeGreaterThan(1000)
    const forms = [seed, ...(['hex', 'base64', 'base64url'] as const).map((form) => Buffer.from(seed.toString(form).slice(0, 40)))]
    expect(forms.map((form) => all.includes(form))).toEqual(forms.map(() => false))
  },
)

test('comes back logged in after a reload', async ({ person }) => {
  const alice = await person('alice')
  await alice.page.reload()
  await alice.app.online()
})

test(
  'comes back logged in, as the same peer, after the browser was closed',
  notIn({ webkit: 'under automation it forgets its profile' }),
  async ({ bridge, engine }) => {
    const folder = await mkdtemp(join(tmpdir(), 'footbridge-profile-'))
    try {
      const { link } = await createToken(bridge, 'alice')
      const first = await launchPersistent(engine, folder)
      const page = await first.newPage()
      await new App(page).arrive(link, 'alice')
      const key = await readPrivateKey(page)
      await first.close()

      const second = await launchPersistent(engine, folder)
      const again = await second.newPage()
      await again.goto(bridge.origin)
      await new App(again).online()
      expect(await readPrivateKey(again)).toEqual(key)
      await second.close()
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  },
)

test('uses no cookies', async ({ page, bridge }) => {
  const set: string[] = []
  page.on('response', async (response) => {
    if ((await response.headerValue('set-cookie').catch(() => null)) !== null) set.push(response.url())
  })
  const { link } = await createToken(bridge, 'alice')
  await new App(page).arrive(link, 'alice')
  expect(await page.context().cookies()).toEqual([])
  expect(set).toEqual([])
})

test('lets an app on another origin read the session API, refusals included', async ({ page, bridge }) => {
  const elsewhere = createServer((_request, response) => response.setHeader('content-type', 'text/html').end('<p>another app</p>'))
  await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve))
  try {
    await page.goto(`http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}`)
    const seen = await page.evaluate(async (api) => {
      const about = await fetch(`${api}/bridge`)
      const headers = { 'content-type': 'application/json', authorization: 'Bearer none' }
      const login = await fetch(`${api}/sessions`, { method: 'POST', headers, body: '{}' })
      const current = await fetch(`${api}/sessions/current`, { headers })
      const problems = [login, current].map(async (response) => [response.status, ((await response.json()) as { code: string }).code])
      return { about: Object.keys((await about.json()) as object), problems: await Promise.all(problems) }
    }, `${bridge.origin}/api/v1`)
    expect(seen.about).toEqual(expect.arrayContaining(['peer', 'name', 'version', 'guests', 'serverTime']))
    expect(seen.problems).toEqual([
      [400, 'bad_request'],
      [401, 'unauthorized'],
    ])
  } finally {
    elsewhere.close()
  }
})

test.describe('with --guests', () => {
  test.use({ bridgeFlags: ['--guests'] })

  test('lets a visitor in without a token, on one that the bridge makes', async ({ page, bridge }) => {
    const app = new App(page)
    await page.goto(bridge.origin)
    await page.getByRole('button', { name: words('arrive_guest') }).click()
    await app.giveName('bob')
    await app.online()
  })
})

test('offers nobody the way of a guest when the bridge has none', async ({ page, bridge }) => {
  await page.goto(bridge.origin)
  expect(await (await fetch(`${bridge.origin}/api/v1/bridge`)).json()).toMatchObject({ guests: false })
  // The page has read that too: no button can still come.
  const read = (): Promise<boolean> =>
    page.evaluate(() => performance.getEntriesByType('resource').some(({ name }) => name.endsWith('/api/v1/bridge')))
  await expect.poll(read).toBe(true)
  await expect(page.getByRole('button', { name: words('arrive_enter'), exact: true })).toBeVisible()
  await expect(page.getByRole('button', { name: words('arrive_guest') })).toHaveCount(0)
})

/** The kept identity's private key, from the browser's own database. */
async function readPrivateKey(page: Page): Promise<number[]> {
  return await page.evaluate(async () => {
    for (const { name } of await indexedDB.databases()) {
      if (name === undefined) continue
      const database = await new Promise<IDBDatabase>((resolve, reject) => {
        const request = indexedDB.open(name)
        request.addEventListener('success', () => resolve(request.result))
        request.addEventListener('error', () => reject(request.error ?? new Error('not opened')))
      })
      try {
        if (!database.objectStoreNames.contains('self')) continue
        const record = await new Promise<{ privateKey?: Uint8Array } | undefined>((resolve) => {
          const request = database.transaction('self').objectStore('self').get('identity')
          request.addEventListener('success', () => resolve(request.result as { privateKey?: Uint8Array } | undefined))
        })
        if (record?.privateKey !== undefined) return [...record.privateKey]
      } finally {
        database.close()
      }
    }
    throw new Error('no identity in IndexedDB')
  })
}
