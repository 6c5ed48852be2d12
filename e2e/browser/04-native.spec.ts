/**
 * Point 4: a native peer, stock js-libp2p over TCP, that knows a circuit address and nothing else.
 */
import { listPeers } from '../helpers/cli.ts'
import { askReservation, startNativePeer } from '../helpers/native.ts'
import { words } from '../helpers/words.ts'
import { expect, test } from './fixtures.ts'

test('dials a browser by its circuit address alone, proves its PeerID by Noise, pings it, and talks both ways', async ({
  bridge,
  person,
  until,
}) => {
  const alice = await person('alice')
  const native = until(startNativePeer(await bridge.circuitAddress(alice.peer)))

  const connected = await native.event('connected')
  expect(connected).toMatchObject({ remote: alice.peer, encryption: '/noise' })
  expect((await native.event('pinged'))['ms']).toBeGreaterThanOrEqual(0)

  native.writeLine('hello from a terminal')
  expect(await native.event('ack')).toMatchObject({ text: 'hello from a terminal', sameId: true })
  const name = new RegExp(String(connected['self']).slice(-6))
  await alice.app.open(name)
  await expect(alice.app.message('hello from a terminal')).toBeVisible()

  await alice.app.say('hello from a browser')
  const received = await native.event('received', ({ frame }) => (frame as { type: string }).type === 'text')
  expect(received).toMatchObject({ from: alice.peer, frame: { type: 'text', text: 'hello from a browser' } })
  await expect(alice.app.lastStatus).toContainText(words('status_delivered'))
})

test('gets no reservation without a session, and is not listed', async ({ bridge, person, until }) => {
  const alice = await person('alice')
  // 202 is PERMISSION_DENIED in circuit-relay-v2.
  expect(await askReservation(await bridge.address())).toBe(202)
  const native = until(startNativePeer(await bridge.circuitAddress(alice.peer)))
  const { self } = await native.event('pinged').then(() => native.event('connected'))
  expect((await listPeers(bridge)).map((row) => row.peer)).toEqual([alice.peer])
  expect(self).not.toBe(alice.peer)
})
