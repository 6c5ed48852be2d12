/**
 * How it looks: every screen, on a phone and a desk, by day and night, with nothing for axe to find. The screenshots are attached to the report.
 */
import type { Page } from '@playwright/test'
import { gzipSync } from 'node:zlib'
import { App } from '../helpers/app.ts'
import { createToken } from '../helpers/cli.ts'
import { look } from '../helpers/look.ts'
import { words } from '../helpers/words.ts'
import { expect, test } from './fixtures.ts'

test('arriving: the field, a refusal, a first name', async ({ page, bridge }) => {
  const app = new App(page)
  await page.goto(bridge.origin)
  await expect(app.tokenField).toBeVisible()
  await look(page, 'arrive')
  await app.submitToken('open sesame')
  await expect(app.trouble).toBeVisible()
  await look(page, 'arrive, refused')
  await app.submitToken((await createToken(bridge, 'alice')).text)
  await expect(page.getByLabel(words('your_name'))).toBeVisible()
  await look(page, 'naming')
})

test('inside: people, a conversation, a path, the network, settings', async ({ person, page: _unused }) => {
  test.setTimeout(120_000)
  const alice = await person('alice')
  await look(alice.page, 'people, nobody')
  const bob = await person('bob')
  await expect(alice.app.here('bob')).toBeVisible()
  await look(alice.page, 'people')
  await alice.app.open('bob')
  await alice.app.say('Does this hold?')
  await bob.app.open('alice')
  await bob.app.say('It does.')
  await expect(alice.app.message('It does.')).toBeVisible()
  await look(alice.page, 'conversation')
  await alice.page.getByRole('button', { name: /bob/ }).first().click()
  await expect(alice.page.getByRole('dialog')).toBeVisible()
  await look(alice.page, 'path')
  await alice.page.keyboard.press('Escape')
  await alice.app.go('network')
  await look(alice.page, 'network')
  await alice.app.go('settings')
  await look(alice.page, 'settings')
  await alice.page.goto(`${new URL(alice.page.url()).origin}/nowhere`)
  await look(alice.page, 'not found')
})

test('trouble: the bridge is away', async ({ bridge, person }) => {
  const alice = await person('alice')
  await bridge.stop()
  await expect(alice.app.hop('hop_away')).toBeVisible()
  await look(alice.page, 'away')
})

test('nothing moves for somebody who asked for reduced motion', async ({ page, bridge }) => {
  await page.emulateMedia({ reducedMotion: 'reduce' })
  await page.goto(bridge.origin)
  const app = new App(page)
  await expect(app.tokenField).toBeVisible()
  await page.route('**/api/v1/sessions', () => {})
  await app.submitToken((await createToken(bridge, 'alice')).text)
  await expect(page.getByRole('button', { name: words('arrive_entering') })).toBeVisible()
  const moving = await page.evaluate(
    () => document.getAnimations().filter((animation) => Number(animation.effect?.getComputedTiming().duration ?? 0) > 1).length,
  )
  expect(moving).toBe(0)
})

test('the whole way in can be walked with the keyboard alone', async ({ page, bridge }) => {
  const { text } = await createToken(bridge, 'alice')
  await page.goto(bridge.origin)
  const app = new App(page)
  await expect(app.tokenField).toBeVisible()
  await tabTo(page, app.tokenField)
  await page.keyboard.type(text)
  await page.keyboard.press('Enter')
  await expect(page.getByLabel(words('your_name'))).toBeVisible()
  await tabTo(page, page.getByLabel(words('your_name')))
  await page.keyboard.type('alice')
  await page.keyboard.press('Enter')
  await app.online()
})

test('first paint needs no libp2p, and the code before the first peer fits its budget', async ({ page, bridge, person }) => {
  await person('bob')
  const code: { url: string; bytes: number }[] = []
  const reading: Promise<void>[] = []
  page.on('response', (response) => {
    const type = response.request().resourceType()
    if (!['document', 'script', 'stylesheet'].includes(type) || response.request().serviceWorker() !== null) return
    reading.push(response.body().then((body) => void code.push({ url: response.url(), bytes: gzipSync(body, { level: 9 }).length })))
  })
  const { link } = await createToken(bridge, 'alice')
  const app = new App(page)
  await app.arrive(link, 'alice')
  await expect(app.here('bob')).toBeVisible()
  await Promise.all(reading)
  const total = code.reduce((sum, { bytes }) => sum + bytes, 0)
  await test
    .info()
    .attach('code before the first peer', { body: JSON.stringify({ total, code }, undefined, 2), contentType: 'application/json' })
  expect(total).toBeLessThanOrEqual(330_000)
  expect(code.length).toBeGreaterThan(2)
})

async function tabTo(page: Page, target: ReturnType<Page['locator']>): Promise<void> {
  for (let presses = 0; presses < 30; presses++) {
    if (await target.evaluate((element) => element === document.activeElement)) return
    await page.keyboard.press('Tab')
  }
  throw new Error('not reached with thirty presses of Tab')
}
