/**
 * Point 6: a large file by its CID, in verified blocks: progress, a reload in the middle, no network, and a peer that lies.
 */
import { startNativePeer, startRoguePeer } from '../helpers/native.ts'
import { hashFile, randomFile, type RandomFile } from '../helpers/random-file.ts'
import { words } from '../helpers/words.ts'
import { expect, test, type Person } from './fixtures.ts'

const LARGE = 50_000_000
let file: RandomFile

test.afterEach(() => file.remove())

/** Alice offers the file, Bob has the conversation open; neither has begun. */
async function offered(person: (name: string) => Promise<Person>, size: number): Promise<[Person, Person]> {
  file = await randomFile(size)
  const [alice, bob] = [await person('alice'), await person('bob')]
  await alice.app.open('bob')
  await alice.app.sendFile(file.path)
  await bob.app.open('alice')
  await expect(bob.app.file(file.name)).toBeVisible({ timeout: 30_000 })
  return [alice, bob]
}

test('goes over whole, shows how far it is, and opens with the network off', async ({ bridge, person, engine }) => {
  test.setTimeout(120_000)
  const [alice, bob] = await offered(person, LARGE)
  const seen = new Set<number>()
  await bob.app.getFile(file.name)
  await expect
    .poll(
      async () => {
        const percent = await bob.app.progress(file.name)
        seen.add(percent)
        return percent
      },
      { timeout: 90_000, intervals: [50] },
    )
    .toBe(100)
  expect([...seen].filter((percent) => percent > 0 && percent < 100).length).toBeGreaterThan(1)

  await alice.context.close()
  await bob.page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined))
  await bridge.stop()
  // WebKitWebDriver cannot; with the bridge gone there is nothing else that a page could reach.
  if (engine !== 'webkit') await bob.context.setOffline(true)
  await bob.page.reload()
  expect(await hashFile(await bob.app.save(file.name))).toBe(file.sha256)
})

test('goes on where it was after a reload in the middle', async ({ person }) => {
  test.setTimeout(120_000)
  const [, bob] = await offered(person, LARGE)
  await bob.app.getFile(file.name)
  await expect.poll(() => bob.app.progress(file.name), { timeout: 60_000, intervals: [20] }).toBeGreaterThan(30)
  const before = await bob.app.progress(file.name)
  expect(before).toBeLessThan(100)

  await bob.page.reload()
  await expect(bob.app.file(file.name)).toBeVisible()
  const after = await expect
    .poll(() => bob.app.progress(file.name), { intervals: [10] })
    .toBeGreaterThan(0)
    .then(() => bob.app.progress(file.name))
  // Only what is stored counts as done, so nothing is taken back.
  expect(after).toBeGreaterThanOrEqual(before)
  await bob.app.complete(file.name)
  expect(await hashFile(await bob.app.save(file.name))).toBe(file.sha256)
})

test('refuses a block that does not match its CID and asks somebody else for it', async ({ bridge, person, until }) => {
  const [alice, bob] = await offered(person, 5_000_000)
  // A native peer is offered the same file, which is how the test learns its CID.
  const reader = until(startNativePeer(await bridge.circuitAddress(alice.peer)))
  const { self } = await reader.event('pinged').then(() => reader.event('connected'))
  reader.writeLine('what is its CID?')
  await alice.app.go('people')
  await alice.app.open(new RegExp(String(self).slice(-6)))
  await alice.app.sendFile(file.path)
  const { frame } = await reader.event('received', (event) => (event['frame'] as { type: string }).type === 'file')
  const { cid, size, media } = frame as { cid: string; size: number; media: string }

  const name = 'the same.bin'
  const rogue = until(startRoguePeer(await bridge.circuitAddress(bob.peer), { cid, name, size, media }))
  const liar = await rogue.event('offered').then(() => rogue.event('connected'))
  await bob.app.go('people')
  await bob.app.open(new RegExp(String(liar['self']).slice(-6)))
  await bob.app.getFile(name)
  await rogue.event('lied')
  await bob.app.complete(name)
  expect(await hashFile(await bob.app.save(name))).toBe(file.sha256)
  // Nobody gave the liar a name, so it is called by the end of its PeerID.
  const called = words('peer_unnamed', { end: String(liar['self']).slice(-6) })
  await expect(bob.app.file(name).getByText(words('log_block_refused', { name: called }), { exact: true })).toBeVisible()
})
