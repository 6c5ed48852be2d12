/**
 * Point 3: a browser is a virtual peer, and everybody who looks sees it come and go.
 */
import { App } from '../helpers/app.ts'
import { Child } from '../helpers/child.ts'
import { listPeers } from '../helpers/cli.ts'
import { FOOTBRIDGE } from '../helpers/start-bridge.ts'
import { expect, test } from './fixtures.ts'

test('shows a peer in the other app and in `footbridge peers` within a second of its coming', async ({ bridge, person, until }) => {
  const [alice, bob] = [await person('alice'), await person('bob')]
  await alice.page.close()
  await expect(bob.app.here('alice')).toHaveCount(0)

  const watch = until(new Child([...FOOTBRIDGE, 'peers', '--watch', '--json', '--data-dir', bridge.dataDir]))
  await watch.line((line) => (line.includes(bob.peer) ? line : undefined))

  const page = await alice.context.newPage()
  await page.goto(bridge.origin)
  const inApp = expect(bob.app.here('alice'))
    .toBeVisible()
    .then(() => Date.now())
  const inCommand = watch.line((line) => (isReachable(line, alice.peer) ? Date.now() : undefined))
  await page.getByRole('link', { name: /./ }).first().waitFor()
  await new App(page).online()
  const cameAt = Date.now()
  expect((await inApp) - cameAt).toBeLessThan(1000)
  expect((await inCommand) - cameAt).toBeLessThan(1000)
})

test('takes a peer from both lists within five seconds of closing the tab', async ({ bridge, person, until }) => {
  const [alice, bob] = [await person('alice'), await person('bob')]
  await expect(bob.app.here('alice')).toBeVisible()
  const watch = until(new Child([...FOOTBRIDGE, 'peers', '--watch', '--json', '--data-dir', bridge.dataDir]))
  await watch.line((line) => (isReachable(line, alice.peer) ? line : undefined))

  const closedAt = Date.now()
  const inCommand = watch.line((line) => (line.startsWith('[') && !isReachable(line, alice.peer) ? Date.now() : undefined))
  await alice.page.close()
  await expect(bob.app.here('alice')).toHaveCount(0, { timeout: 5000 })
  expect(Date.now() - closedAt).toBeLessThan(5000)
  expect((await inCommand) - closedAt).toBeLessThan(5000)
  expect((await listPeers(bridge)).some((row) => row.peer === alice.peer && row.state === 'reachable')).toBe(false)
})

test('lists each person by the name they chose, and never oneself', async ({ person }) => {
  const [alice, bob] = [await person('alice'), await person('bob')]
  await expect(alice.app.here('bob')).toBeVisible()
  await expect(bob.app.here('alice')).toBeVisible()
  await expect(alice.app.here('alice')).toHaveCount(0)
})

function isReachable(line: string, peer: string): boolean {
  if (!line.startsWith('[')) return false
  return (JSON.parse(line) as { peer: string; state: string }[]).some((row) => row.peer === peer && row.state === 'reachable')
}
