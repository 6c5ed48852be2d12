/**
 * Point 5: two people on different tokens. Messages, what is kept, and the way from the relay to a direct path.
 */
import { notIn } from '../engines/not-in.ts'
import { listPeers } from '../helpers/cli.ts'
import { noticeLate } from '../helpers/notice-late.ts'
import { words } from '../helpers/words.ts'
import { expect, test, type Person } from './fixtures.ts'

const NO_WEBRTC = 'it has no WebRTC, so no direct path'

async function pair(person: (name: string) => Promise<Person>): Promise<[Person, Person]> {
  const people: [Person, Person] = [await person('alice'), await person('bob')]
  await people[0].app.open('bob')
  return people
}

test('exchange messages, each marked delivered once the other has it', async ({ person }) => {
  const [alice, bob] = await pair(person)
  await alice.app.say('is this the bridge?')
  await bob.app.open('alice')
  await expect(bob.app.message('is this the bridge?')).toBeVisible()
  await expect(alice.app.lastStatus).toContainText(words('status_delivered'))
  await bob.app.say('mind the gap')
  await expect(alice.app.message('mind the gap')).toBeVisible()
})

test('keep a message for somebody who is away, say so, and deliver it when they are back', async ({ bridge, person }) => {
  const [alice, bob] = await pair(person)
  await alice.app.say('one')
  await expect(alice.app.lastStatus).toContainText(words('status_delivered'))
  await bob.page.close()
  await expect(alice.app.path('bob', 'path_none').or(alice.page.getByText(words('path_away')).first())).toBeVisible()

  await alice.app.say('for later')
  await expect(alice.app.log.getByText(new RegExp(words('status_waiting', { name: 'bob' })))).toBeVisible()
  const page = await bob.context.newPage()
  await page.goto(`${bridge.origin}/people/${alice.peer}`)
  await expect(page.getByRole('log').getByText('for later', { exact: true })).toBeVisible()
  await expect(alice.app.lastStatus).toContainText(words('status_delivered'))
})

test('have their conversation after a reload and with no bridge and no network at all', async ({ bridge, person, engine }) => {
  const [alice, bob] = await pair(person)
  await alice.app.say('written down')
  await bob.app.open('alice')
  await expect(bob.app.message('written down')).toBeVisible()

  await bob.page.reload()
  await expect(bob.app.message('written down')).toBeVisible()

  await bob.page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined))
  await bridge.stop()
  // WebKitWebDriver cannot; with the bridge gone there is nothing else that a page could reach.
  if (engine !== 'webkit') await bob.context.setOffline(true)
  await bob.page.reload()
  await expect(bob.app.message('written down')).toBeVisible()
})

test(
  'go from the relay to a direct path by themselves, and show which it is with the round trip',
  notIn({ webkit: NO_WEBRTC }),
  async ({ person }) => {
    const [alice, bob] = await pair(person)
    await alice.app.say('closer')
    await expect(alice.app.path('bob', 'path_direct')).toHaveAccessibleName(/\d ms/, { timeout: 30_000 })
    await expect(bob.app.path('alice', 'path_direct')).toHaveAccessibleName(/\d ms/)
    await alice.app.say('still here')
    await bob.app.open('alice')
    await expect(bob.app.message('still here')).toBeVisible()
  },
)

test(
  'go direct within one try, though one of them is slow to notice that they are connected',
  notIn({ webkit: NO_WEBRTC }),
  async ({ person }) => {
    const people = [await person('alice'), await person('bob')] as const
    for (const { context, page, app } of people) {
      await context.addInitScript(noticeLate)
      await page.reload()
      await app.online()
    }
    const [alice] = people
    await alice.app.open('bob')
    await alice.app.say('are you there?')
    await expect(alice.app.path('bob', 'path_direct')).toBeVisible({ timeout: 30_000 })
    // Whoever dials: the other has not tried at all.
    const tries = await Promise.all(people.map(({ page }) => page.evaluate(() => Number(Reflect.get(globalThis, 'directTries')))))
    expect(tries.toSorted((a, b) => a - b)).toEqual([0, 1])
  },
)

test('are not held up by a direct connection that a reload left half made', notIn({ webkit: NO_WEBRTC }), async ({ person }) => {
  const [alice, bob] = await pair(person)
  // Again and again, so that some reload falls into a try.
  for (let round = 1; round <= 4; round++) {
    await Promise.all([alice, bob].map(({ page }) => page.reload()))
    await alice.app.say(`round ${round}`)
    await bob.app.open('alice')
    await expect(bob.app.message(`round ${round}`)).toBeVisible()
  }
  await expect(alice.app.path('bob', 'path_direct')).toBeVisible({ timeout: 30_000 })
})

test(
  'keep talking over their direct path while the bridge is gone, and are both reachable when it is back',
  notIn({ webkit: NO_WEBRTC }),
  async ({ bridge, person }) => {
    const [alice, bob] = await pair(person)
    await alice.app.say('closer')
    await bob.app.open('alice')
    await expect(alice.app.path('bob', 'path_direct')).toBeVisible({ timeout: 30_000 })
    await expect(bob.app.path('alice', 'path_direct')).toBeVisible()

    await bridge.kill()
    for (const { app } of [alice, bob]) await expect(app.hop('hop_away')).toBeVisible()
    await alice.app.say('no bridge needed')
    await expect(bob.app.message('no bridge needed')).toBeVisible()
    await bob.app.say('none at all')
    await expect(alice.app.message('none at all')).toBeVisible()

    await bridge.restart()
    for (const { app } of [alice, bob]) await app.online()
    await expect(alice.app.path('bob', 'path_direct')).toBeVisible()
    // The bridge's own list, not what the pages believe.
    await expect.poll(async () => (await listPeers(bridge)).map((row) => row.peer).sort()).toEqual([alice.peer, bob.peer].sort())
  },
)

test('find their bridge again after it was away, without a reload', async ({ bridge, person }) => {
  const alice = await person('alice')
  await bridge.stop()
  await expect(alice.app.hop('hop_away')).toBeVisible()
  await bridge.restart()
  await alice.app.online()
})
