/**
 * The race of the first hops, in networks that let less and less through: WebTransport, WebSocket, HTTPS tunnel. Whatever comes in carries everything.
 */
import { expect, test } from './fixtures.ts'

test.use({ bridgeSpeaksWebTransport: true })

test('where nothing is blocked, WebTransport comes in first', async ({ bridge, person }) => {
  expect(bridge.output).toContain('WebTransport')
  const alice = await person('alice')
  await expect(alice.app.hop('hop_webtransport')).toBeVisible()
  const bob = await person('bob')
  await alice.app.open('bob')
  await alice.app.say('hello')
  await bob.app.open('alice')
  await expect(bob.app.message('hello')).toBeVisible()
})
