/**
 * Two people in different engines talk and exchange files, in every pairing: over a direct path where both have WebRTC, through the relay where one has not.
 */
import { ENGINES, launch, type Engine } from '../engines/engines.ts'
import { hashFile, randomFile } from '../helpers/random-file.ts'
import { words } from '../helpers/words.ts'
import { expect, test } from './fixtures.ts'

const BYTES = 3_000_000
/** WebKitGTK comes without WebRTC. */
const HAS_WEBRTC: Readonly<Record<Engine, boolean>> = { chromium: true, firefox: true, webkit: false }

const pairings = ENGINES.flatMap((one, index) => ENGINES.slice(index).map((other) => [one, other] as const))

for (const [one, other] of pairings) {
  const path = HAS_WEBRTC[one] && HAS_WEBRTC[other] ? 'path_direct' : 'path_relayed'

  test(`${one} and ${other} exchange messages and files, ${words(path)}`, async ({ personIn }) => {
    test.setTimeout(120_000)
    await using browsers = await launchBoth(one, other)
    const [alice, bob] = [await personIn(browsers.one, 'alice'), await personIn(browsers.other, 'bob')]
    for (const [person, engine] of [
      [alice, one],
      [bob, other],
    ] as const)
      expect(await person.page.evaluate(() => 'RTCPeerConnection' in globalThis), engine).toBe(HAS_WEBRTC[engine])

    await alice.app.open('bob')
    await alice.app.say('is there a way across?')
    await bob.app.open('alice')
    await expect(bob.app.message('is there a way across?')).toBeVisible()
    await expect(alice.app.lastStatus).toContainText(words('status_delivered'))
    await bob.app.say('there is')
    await expect(alice.app.message('there is')).toBeVisible()
    await expect(bob.app.lastStatus).toContainText(words('status_delivered'))
    await expect(alice.app.path('bob', path)).toBeVisible({ timeout: 30_000 })
    await expect(bob.app.path('alice', path)).toBeVisible({ timeout: 30_000 })

    for (const [from, to] of [
      [alice, bob],
      [bob, alice],
    ] as const) {
      const file = await randomFile(BYTES)
      await from.app.sendFile(file.path)
      await to.app.getFile(file.name)
      await to.app.complete(file.name)
      expect(await hashFile(await to.app.save(file.name)), `from ${from.name}`).toBe(file.sha256)
      await file.remove()
    }
    // Still the same way: nothing fell back on the way through.
    await expect(alice.app.path('bob', path)).toBeVisible()
    await expect(bob.app.path('alice', path)).toBeVisible()
  })
}

/** One browser where both are of the same engine: people have profiles of their own. */
async function launchBoth(one: Engine, other: Engine) {
  const first = await launch(one)
  const second = one === other ? first : await launch(other)
  return {
    one: first,
    other: second,
    async [Symbol.asyncDispose]() {
      await Promise.all([first.close(), second.close()])
    },
  }
}
