/**
 * A public room: two people in browsers and a peer of universal-connectivity, stock js-libp2p and gossipsub, that knows the bridge's address alone. They talk,
 * write to each other, and exchange files, all by that project's protocols; and the room says what it does not know.
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { notIn } from '../engines/not-in.ts'
import { Child } from '../helpers/child.ts'
import { look } from '../helpers/look.ts'
import { randomFile } from '../helpers/random-file.ts'
import { pattern, words } from '../helpers/words.ts'
import { expect, test, type Person } from './fixtures.ts'

const EMULATED = 'colour schemes and the sizes of a phone are emulated by Chromium’s own tools'
const ROOM = 'universal-connectivity'
const PNG = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64')

async function join({ page, app }: Person): Promise<void> {
  await app.go('rooms')
  await page.getByRole('button', { name: words('room_join_first', { name: ROOM }) }).click()
  await expect(page.getByRole('heading', { name: ROOM, level: 1 })).toBeVisible()
}

test('people in browsers and a stock peer talk in a room, write to each other, and exchange a file', async ({ bridge, person, until }) => {
  test.setTimeout(180_000)
  const [alice, bob] = [await person('alice'), await person('bob')]
  await join(alice)
  await join(bob)
  const native = until(new Child(['node', 'e2e/helpers/uc-peer.mjs', await bridge.address()]))
  const self = String((await native.event('connected'))['self'])
  await native.event('joined')

  // The room.
  await alice.app.say('is anybody at the pier?')
  await expect(bob.app.message('is anybody at the pier?')).toBeVisible()
  expect(await native.event('heard')).toMatchObject({ from: alice.peer, text: 'is anybody at the pier?' })
  await expect(alice.app.lastStatus).toHaveText(words('room_status_sent'))
  native.writeLine(JSON.stringify({ say: 'I am, in a terminal' }))
  for (const { app } of [alice, bob]) await expect(app.message('I am, in a terminal')).toBeVisible()

  // A file of theirs.
  native.writeLine(JSON.stringify({ offer: { id: 'b3f1c7d2-0001', bytes: PNG.toString('base64') } }))
  native.writeLine(JSON.stringify({ tell: { to: alice.peer, text: 'just for you' } }))
  expect(await native.event('answered')).toMatchObject({ status: 200, metadata: true })
  await alice.app.getFile(words('room_file_unnamed', { end: 'b3f1c7d2' }))
  await alice.app.complete('b3f1c7d2.png')
  expect(
    createHash('sha256')
      .update(await readFile(await alice.app.save('b3f1c7d2.png')))
      .digest('hex'),
  ).toBe(createHash('sha256').update(PNG).digest('hex'))

  // A file of ours, for a browser and for them.
  const file = await randomFile(300_000)
  await alice.app.sendFile(file.path)
  await expect(alice.app.file(file.name)).toBeVisible()
  const { id } = await native.event('offered', ({ from }) => from === alice.peer)
  native.writeLine(JSON.stringify({ fetch: { from: alice.peer, id } }))
  expect(await native.event('fetched')).toMatchObject({ size: file.size, sha256: file.sha256 })
  const unnamed = words('room_file_unnamed', { end: String(id).slice(0, 8) })
  await bob.app.getFile(unnamed)
  await bob.app.complete(String(id).slice(0, 8))
  await file.remove()

  // Direct messages stand among the others of that peer, and go back the same way.
  await alice.app.go('people')
  await alice.app.open(new RegExp(self.slice(-6)))
  await expect(alice.app.message('just for you')).toBeVisible()
  await alice.app.say('and this for you')
  expect(await native.event('told')).toMatchObject({ from: alice.peer, text: 'and this for you', type: 'text/plain' })
  await expect(alice.app.lastStatus).toContainText(words('status_delivered'))
})

test('a room says who was seen, what was missed while away, and waits with what was written then', async ({ bridge, person }) => {
  test.setTimeout(180_000)
  const [alice, bob] = [await person('alice'), await person('bob')]
  await join(alice)
  await join(bob)
  await bob.app.say('first')
  await expect(alice.app.message('first')).toBeVisible()
  await alice.page.getByRole('button', { name: words('room_about', { name: ROOM }) }).click()
  const members = alice.page.getByRole('dialog').getByRole('listitem')
  await expect(members).toHaveText([pattern('room_member_you'), /bob/])
  await alice.page.keyboard.press('Escape')

  const restarted = bridge.restartAfter(12)
  await expect(alice.page.getByText(words('room_away'))).toBeVisible()
  await alice.app.say('written while away')
  await expect(alice.app.lastStatus).toHaveText(words('room_status_waiting'))
  await restarted
  // Whoever comes back later than alice has missed it, as their own room says; so nothing is asked of bob but that he is heard again.
  await expect(alice.app.lastStatus).toHaveText(words('room_status_sent'), { timeout: 90_000 })
  await expect(alice.app.log.getByText(pattern('room_gap'))).toBeVisible()
  await bob.app.online(90_000)
  await bob.app.say('back')
  await expect(alice.app.message('back')).toBeVisible({ timeout: 60_000 })
})

test('a second tab shows the room and speaks through the first; a room that was left can be had back for a while, and is gone from both', async ({
  person,
}) => {
  const [alice, bob] = [await person('alice'), await person('bob')]
  await join(alice)
  await join(bob)
  const tab = await alice.context.newPage()
  await tab.goto(alice.page.url())
  const log = tab.getByRole('log')
  await bob.app.say('to both tabs')
  await expect(alice.app.message('to both tabs')).toBeVisible()
  await expect(log.getByText('to both tabs', { exact: true })).toBeVisible()
  const field = tab.getByRole('textbox', { name: words('message_to', { name: ROOM }) })
  await field.fill('from the second')
  await field.press('Enter')
  await expect(bob.app.message('from the second')).toBeVisible()
  await expect(log.getByText('from the second', { exact: true })).toBeVisible()
  const leave = async (): Promise<void> => {
    await tab.getByRole('button', { name: words('room_about', { name: ROOM }) }).click()
    await tab.getByRole('button', { name: words('room_leave') }).click()
    await expect(tab.getByText(words('room_left', { name: ROOM }))).toBeVisible()
  }
  await leave()
  await tab.getByRole('button', { name: words('room_left_undo') }).click()
  await expect(log.getByText('to both tabs', { exact: true })).toBeVisible()
  await leave()
  for (const page of [tab, alice.page]) {
    await expect(page.getByRole('log')).toHaveCount(0)
    await page.goto(`${new URL(page.url()).origin}/rooms`)
    await expect(page.getByRole('heading', { name: words('rooms_empty_title') })).toBeVisible()
  }
})

test('rooms look as they should', notIn({ firefox: EMULATED, webkit: EMULATED }), async ({ person }) => {
  const alice = await person('alice')
  await alice.app.go('rooms')
  await look(alice.page, 'rooms, none')
  await alice.page.getByRole('button', { name: words('room_join_title') }).click()
  await expect(alice.page.getByRole('dialog')).toBeVisible()
  await look(alice.page, 'rooms, join')
  await alice.page.keyboard.press('Escape')
  await alice.page.getByRole('button', { name: words('room_topics_open') }).click()
  await expect(alice.page.getByRole('dialog')).toBeVisible()
  await look(alice.page, 'rooms, topics')
  await alice.page.keyboard.press('Escape')
  await join(alice)
  await alice.app.say('Does this hold?')
  await expect(alice.app.message('Does this hold?')).toBeVisible()
  await look(alice.page, 'room')
})
