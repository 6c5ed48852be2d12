/**
 * Point 15: who can find you. A person chooses, and a native peer that knows the bridge and a PeerID, and uses no code of ours, finds them or does not.
 */
import { startSeeker } from '../helpers/native.ts'
import { words } from '../helpers/words.ts'
import { expect, test } from './fixtures.ts'

const PROTOCOL = '/footbridge-journey/kad/1.0.0'
// A bridge on a loopback address alone is in no DHT unless it may meet private addresses there.
test.use({ bridgeFlags: ['--kad-protocols', PROTOCOL, '--dial-private', '127.0.0.0/8'] })

test('somebody who chose everybody is found and dialled by a stranger, and not once they chose less or logged out', async ({
  bridge,
  person,
  until,
}) => {
  // Each look is a node of its own that finds its way into the DHT first.
  test.setTimeout(240_000)
  const alice = await person('alice')
  const bob = await person('bob')
  await expect(bob.app.here('alice')).toBeVisible()
  const seeker = until(startSeeker(await bridge.address(), alice.peer, PROTOCOL))
  let looks = 0
  const look = async (): Promise<unknown> => {
    seeker.writeLine('look')
    const number = ++looks
    return seeker.event('looked', (event) => event['number'] === number, 30_000)
  }
  const choose = async (key: 'find_nobody' | 'find_bridge' | 'find_network'): Promise<void> => {
    await alice.app.go('settings')
    await alice.page.getByRole('radio', { name: words(key), exact: true }).check()
  }

  expect(await look()).toMatchObject({ outcome: 'not found' })
  await choose('find_network')
  await expect(
    alice.page
      .getByRole('region', { name: words('find_title') })
      .getByText(words('find_state_announced'))
      .nth(1),
  ).toBeVisible()
  expect(await look()).toMatchObject({ outcome: 'found', remote: alice.peer })
  // The Network page says who finds her, and where the bridge knows peers from.
  await alice.app.go('network')
  await expect(alice.page.getByText(words('network_found_network'))).toBeVisible()
  await expect(alice.page.getByRole('region', { name: words('bridge_network') })).toContainText(words('bridge_peers'))

  await choose('find_nobody')
  await expect(bob.app.here('alice')).toBeHidden()
  expect(await look()).toMatchObject({ outcome: 'not found' })

  await choose('find_network')
  await expect(bob.app.here('alice')).toBeVisible()
  // The choice is kept over a reload, and told again.
  await alice.page.reload()
  await alice.app.online()
  await alice.app.go('settings')
  await expect(alice.page.getByRole('radio', { name: words('find_network'), exact: true })).toBeChecked()
  await expect(
    alice.page
      .getByRole('region', { name: words('find_title') })
      .getByText(words('find_state_announced'))
      .nth(1),
  ).toBeVisible()
  expect(await look()).toMatchObject({ outcome: 'found', remote: alice.peer })

  await alice.page.getByRole('button', { name: words('log_out') }).click()
  await expect(bob.app.here('alice')).toBeHidden()
  expect(await look()).toMatchObject({ outcome: 'not found' })
})
