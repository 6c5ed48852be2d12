/**
 * The check-up says what a network allows, and only that: each journey breaks one thing for real and reads what a person would.
 */
import { chromium } from '@playwright/test'
import { execFileSync } from 'node:child_process'
import { startHostileProxy } from '../../apps/bridge/src/test-hostile-proxy.ts'
import { nativeNode } from '../../scripts/newer-glibc.ts'
import { notIn } from '../engines/not-in.ts'
import { App } from '../helpers/app.ts'
import { CheckUpOf } from '../helpers/check-up.ts'
import { findChromium } from '../helpers/chromium.ts'
import { createToken, listPeers } from '../helpers/cli.ts'
import { look } from '../helpers/look.ts'
import { openFarNetwork } from '../helpers/far-network.ts'
import { startBridge } from '../helpers/start-bridge.ts'
import { pattern, words } from '../helpers/words.ts'
import { expect, test } from './fixtures.ts'

test.describe.configure({ timeout: 120_000 })

const CHROMIUM_IS_LAUNCHED = { firefox: 'its browser is a Chromium of its own', webkit: 'its browser is a Chromium of its own' }
const NOT_OFFLINE = { webkit: 'its driver cannot take the network away' }
const NO_SCRIPT_BEFORE = { webkit: 'its driver runs no script before those of a page' }

/** With WebTransport, whatever the machine's C library. */
const speaksAll = test.extend({
  // oxlint-disable-next-line no-empty-pattern
  bridge: async ({}, use, info) => {
    const bridge = await startBridge([], {}, undefined, nativeNode())
    await use(bridge)
    if (info.status !== info.expectedStatus) await info.attach('bridge.log', { body: bridge.output, contentType: 'text/plain' })
    await bridge.remove()
  },
})

speaksAll(
  'on a healthy network everything works, each first hop has its times, and the live link is left alone',
  async ({ bridge, person }) => {
    const alice = await person('alice')
    const bob = await person('bob')
    await alice.app.open('bob')
    await alice.app.say('before')
    await bob.app.open('alice')
    await expect(bob.app.message('before')).toBeVisible()
    if (test.info().project.name !== 'webkit') await expect(alice.app.path('bob', 'path_direct')).toBeVisible({ timeout: 30_000 })
    const before = (await listPeers(bridge)).find(({ peer }) => peer === alice.peer)

    await alice.app.go('network')
    const checkUp = new CheckUpOf(alice.page)
    await checkUp.run()
    const engine = test.info().project.name
    const hasWebRtc = engine !== 'webkit'
    const verdict = hasWebRtc ? 'verdict_all' : 'verdict_direct_no_webrtc'
    await expect(checkUp.verdict).toContainText(words(verdict))
    for (const title of ['check_of_bridge', 'hop_websocket', 'hop_tunnel', 'check_of_peers', 'check_of_clock', 'check_of_storage'])
      await checkUp.expectMark(title, 'check_mark_works')
    // WebKitGTK has neither WebRTC nor WebTransport.
    for (const title of ['hop_webtransport', 'check_of_webrtc'])
      await checkUp.expectMark(title, hasWebRtc ? 'check_mark_works' : 'check_mark_unknown')
    // Firefox keeps a mapped address to itself that is the device's own, as it is here.
    await checkUp.expectMark('check_of_udp', engine === 'chromium' ? 'check_mark_works' : 'check_mark_unknown')
    await expect(checkUp.line('check_of_turn')).toContainText(words(hasWebRtc ? 'check_not_offered' : 'check_unsupported'))

    const text = await checkUp.text()
    expect(text).toContain(words(verdict))
    const answers = `${words('check_figure_answers')}: ${words('check_figure_answers_of', { count: '2', all: '2' })}`
    expect(text.includes(answers)).toBe(engine === 'chromium')
    for (const kind of [...(hasWebRtc ? ['/webtransport/'] : []), '/ws/', '/http-path/']) expect(text).toContain(kind)
    // Nobody who reads it learns who she is, or where.
    for (const secret of [alice.token.text, alice.peer, 'fb1_', '10.9.0.1:']) expect(text).not.toContain(secret)

    // A probe that came as alice would have taken her place at the bridge.
    expect((await listPeers(bridge)).find(({ peer }) => peer === alice.peer)).toMatchObject({ peer: alice.peer, tokenId: before?.tokenId })
    expect((await listPeers(bridge)).length).toBe(2)
    await alice.app.online()
    await bob.app.say('after')
    await alice.app.go('people')
    await alice.app.open('bob')
    await expect(alice.app.message('after')).toBeVisible()
  },
)

test('where upgrades are refused, the WebSocket says so and the tunnel carries on', async ({ bridge, page }) => {
  const proxy = await startHostileProxy(bridge.port)
  proxy.behave((request) => (request.headers.upgrade === undefined ? {} : { madeUpAnswer: 'no' }))
  try {
    const { text } = await createToken(bridge, 'alice')
    const app = new App(page)
    await app.arrive(`${proxy.origin}/#token=${text}`, 'alice')
    await app.go('network')
    const checkUp = new CheckUpOf(page)
    await checkUp.run()
    await checkUp.expectMark('check_of_bridge', 'check_mark_works')
    await checkUp.expectMark('hop_websocket', 'check_mark_limited')
    await expect(checkUp.line('hop_websocket')).toContainText(pattern('check_hop_refused_though'))
    await checkUp.expectMark('hop_tunnel', 'check_mark_works')
    await expect(checkUp.verdict).not.toContainText(words('verdict_no_hop'))
    await app.online()
  } finally {
    await proxy.stop()
  }
})

test('where UDP goes nowhere, files go through the bridge, and it says why', notIn(CHROMIUM_IS_LAUNCHED), async () => {
  if (process.getuid?.() !== 0) throw new Error('this journey makes network namespaces, which only root may: run it as root')
  const far = await openFarNetwork(120)
  const bridge = await startBridge([], {}, far, nativeNode())
  const executablePath = findChromium()
  const browser = await chromium.launch({
    args: [`--unsafely-treat-insecure-origin-as-secure=${bridge.origin}`],
    ...(executablePath !== undefined && { executablePath }),
  })
  try {
    // Its answers vanish, as behind a firewall: nothing is refused.
    execFileSync('sh', ['-c', far.within(['ip', 'rule', 'add', 'pref', '10', 'ipproto', 'udp', 'blackhole']).join(' ')])
    const app = new App(await (await browser.newContext({ locale: 'en-GB' })).newPage())
    await app.arrive((await createToken(bridge, 'alice')).link, 'alice')
    await app.go('network')
    const checkUp = new CheckUpOf(app.page)
    await checkUp.run()
    await expect(checkUp.verdict).toContainText(words('verdict_reachable'))
    await expect(checkUp.verdict).toContainText(words('verdict_direct_udp_blocked'))
    await checkUp.expectMark('hop_websocket', 'check_mark_works')
    await checkUp.expectMark('hop_webtransport', 'check_mark_limited')
    await expect(checkUp.line('check_of_udp')).toContainText(pattern('check_udp_silent'))
    await checkUp.expectMark('check_of_webrtc', 'check_mark_works')
  } finally {
    await browser.close()
    await bridge.remove()
    far.close()
  }
})

test('with the bridge gone, the banner leads to a check-up that says so', async ({ bridge, person }) => {
  const alice = await person('alice')
  // Kept on the device, so that the check-up is there without a bridge.
  await alice.page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined))
  await bridge.kill()
  await expect(alice.app.hop('hop_away')).toBeVisible()
  await alice.app.troubles.getByRole('button', { name: words('check_open') }).click()
  const checkUp = new CheckUpOf(alice.page)
  await checkUp.done()
  await expect(checkUp.verdict).toContainText(words('verdict_no_bridge'))
  await expect(checkUp.verdict).toContainText(words('advice_wait_or_ask'))
  await checkUp.expectMark('check_of_bridge', 'check_mark_broken')
  await checkUp.expectMark('hop_websocket', 'check_mark_broken')
  await checkUp.expectMark('check_of_storage', 'check_mark_works')
  expect(await checkUp.text()).toContain(words('verdict_no_bridge'))
  await checkUp.unfold('check_of_bridge')
  if (test.info().project.name === 'chromium') await look(alice.page, 'check-up, bridge gone')
})

test('offline, it says that the device has no network, and looks at what needs none', notIn(NOT_OFFLINE), async ({ person }) => {
  const alice = await person('alice')
  // Kept on the device, so that the check-up is there without a network.
  await alice.page.evaluate(() => navigator.serviceWorker.ready)
  await alice.app.go('network')
  await alice.context.setOffline(true)
  const checkUp = new CheckUpOf(alice.page)
  await checkUp.run()
  await expect(checkUp.line('check_of_bridge')).toContainText(words('check_bridge_offline'))
  await expect(checkUp.line('check_of_clock')).toContainText(words('check_unknown_no_bridge'))
  await expect(checkUp.line('hop_websocket')).toContainText(words('check_unknown_offline'))
  await checkUp.expectMark('check_of_storage', 'check_mark_works')
})

const MINUTE_MS = 60_000
for (const [how, aheadMs, advice] of [
  ['forty minutes fast', 40 * MINUTE_MS, 'advice_set_clock'],
  ['two hours slow', -120 * MINUTE_MS, 'advice_set_zone'],
] as const)
  test(`a clock that is ${how} is told, and what to do about it`, notIn(NO_SCRIPT_BEFORE), async ({ bridge, page }) => {
    await page.addInitScript((ms) => {
      const now = Date.now.bind(Date)
      Date.now = () => now() + ms
    }, aheadMs)
    const app = new App(page)
    await app.arrive((await createToken(bridge, 'alice')).link, 'alice')
    await app.go('network')
    const checkUp = new CheckUpOf(page)
    await checkUp.run()
    await checkUp.expectMark('check_of_clock', 'check_mark_broken')
    await expect(checkUp.verdict).toContainText(words(advice))
    expect(await checkUp.text()).toMatch(pattern('check_figure_skew'))
  })

test('a login that fails leads to a check-up, which tells a page of the network from a bridge', async ({ bridge, page }) => {
  const proxy = await startHostileProxy(bridge.port)
  try {
    const { text } = await createToken(bridge, 'alice')
    const app = new App(page)
    await page.goto(proxy.origin)
    await expect(app.tokenField).toBeVisible()
    // A network whose login page stands in the way, with the app still open.
    proxy.behave(({ url, headers }) =>
      url?.startsWith('/api/') === true || headers.upgrade !== undefined ? { madeUpAnswer: '<h1>Welcome to the hotel</h1>' } : {},
    )
    await app.submitToken(text)
    await expect(app.trouble).toBeVisible()
    await page.getByRole('button', { name: words('check_start') }).click()
    const checkUp = new CheckUpOf(page)
    await checkUp.done()
    await expect(checkUp.verdict).toContainText(words('verdict_portal'))
    await expect(checkUp.verdict).toContainText(words('advice_open_portal'))
    await checkUp.expectMark('check_of_bridge', 'check_mark_broken')
    if (test.info().project.name === 'chromium') await look(page, 'check-up over arrive')
  } finally {
    await proxy.stop()
  }
})
