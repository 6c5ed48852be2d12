/**
 * Point 7: tokens are the operator's, while the bridge runs. What revoking ends is measured by what is really gone.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { IN_ONE_RUN, notIn } from '../engines/not-in.ts'
import { createToken, listPeers, revokeToken, tokenCommand } from '../helpers/cli.ts'
import { startNativePeer } from '../helpers/native.ts'
import { words } from '../helpers/words.ts'
import { expect, test } from './fixtures.ts'

test('are made, listed and shown with their limits while the bridge runs', notIn(IN_ONE_RUN), async ({ bridge }) => {
  const limits = ['--expires', '30d', '--devices', '2', '--per-day', '1GB', '--rate', '2MB/s']
  const token = await createToken(bridge, 'Reading group', limits)
  const list = JSON.parse(await tokenCommand(bridge, 'list', '--json')) as { id: string; label: string }[]
  expect(list.map(({ label }) => label)).toContain('Reading group')

  const shown = JSON.parse(await tokenCommand(bridge, 'show', token.id, '--json')) as Record<string, number>
  expect(shown).toMatchObject({
    id: token.id,
    label: 'Reading group',
    maxDevices: 2,
    bytesPerDay: 1e9,
    bytesPerSecond: 2e6,
    state: 'active',
  })
  expect(((shown['expiresAt'] ?? 0) - Date.now()) / 86_400_000).toBeCloseTo(30, 1)
})

test('stand nowhere in the store but as a hash', notIn(IN_ONE_RUN), async ({ bridge }) => {
  const { text } = await createToken(bridge, 'alice')
  const files = ['footbridge.db', 'footbridge.db-wal'].map((name) => readFile(join(bridge.dataDir, name)).catch(() => Buffer.alloc(0)))
  const store = Buffer.concat(await Promise.all(files))
  expect(store.includes('alice')).toBe(true)
  expect(store.includes(text)).toBe(false)
  expect(store.includes(Buffer.from(text.slice(4), 'base64url'))).toBe(false)
})

const NO_SOCKETS = 'the driver tells nothing of WebSockets; what else a revocation ends is in the next journey'

test(
  'revoked: session, reservation, circuits and socket are gone within one second',
  notIn({ firefox: NO_SOCKETS, webkit: NO_SOCKETS }),
  async ({ bridge, person, until }) => {
    const bob = await person('bob')
    const alice = await person('alice')
    // Opened again, so that the socket and the access token of the running page can be held on to.
    const socketOpened = alice.page.waitForEvent('websocket')
    const loggedIn = alice.page.waitForResponse((response) => response.url().endsWith('/api/v1/sessions') && response.ok())
    await alice.page.reload()
    const { accessToken } = (await (await loggedIn).json()) as { accessToken: string }
    const socket = await socketOpened
    await alice.app.online()
    const circuit = await bridge.circuitAddress(alice.peer)
    const native = until(startNativePeer(circuit))
    await native.event('pinged')
    const current = (): Promise<number> =>
      fetch(`${bridge.origin}/api/v1/sessions/current`, { headers: { authorization: `Bearer ${accessToken}` } }).then(
        ({ status }) => status,
      )
    expect(await current()).toBe(200)
    expect(socket.isClosed()).toBe(false)

    const socketClosed = socket.waitForEvent('close').then(() => Date.now())
    const circuitClosed = native.event('closed').then(() => Date.now())
    await revokeToken(bridge, alice.token.id)
    const revokedAt = Date.now()

    expect((await socketClosed) - revokedAt).toBeLessThan(1000)
    expect((await circuitClosed) - revokedAt).toBeLessThan(1000)
    expect(await current()).toBe(401)
    expect((await listPeers(bridge)).map(({ peer }) => peer)).toEqual([bob.peer])
    const late = until(startNativePeer(circuit))
    expect((await late.exited).code).not.toBe(0)
    expect(late.output).toMatch(/NO_RESERVATION/)

    await expect(bob.app.here('alice')).toHaveCount(0)
    await expect(alice.page.getByText(words('error_token_revoked')).first()).toBeVisible()
    await alice.page.reload()
    await expect(alice.page.getByText(words('error_token_revoked')).first()).toBeVisible()
  },
)

test('revoked: the person reads so, whoever talks with them through the bridge is cut off, and nobody sees them any more', async ({
  bridge,
  person,
  until,
}) => {
  const [bob, alice] = [await person('bob'), await person('alice')]
  const native = until(startNativePeer(await bridge.circuitAddress(alice.peer)))
  await native.event('pinged')
  await revokeToken(bridge, alice.token.id)
  await native.event('closed')
  expect((await listPeers(bridge)).map(({ peer }) => peer)).toEqual([bob.peer])
  await expect(bob.app.here('alice')).toHaveCount(0)
  await expect(alice.page.getByText(words('error_token_revoked')).first()).toBeVisible()
  await alice.page.reload()
  await expect(alice.page.getByText(words('error_token_revoked')).first()).toBeVisible()
})

test('limit what the bridge relays in a day: at the end of the budget the circuit is closed', async ({ bridge, person, until }) => {
  const alice = await person('alice', ['--per-day', '300kB'])
  const native = until(startNativePeer(await bridge.circuitAddress(alice.peer)))
  await native.event('pinged')
  // 16 000 characters a message: well over the budget, if nobody stopped it.
  for (let count = 0; count < 30; count++) native.writeLine('x'.repeat(16_000))
  await native.event('closed')
  const acknowledged = native.count((line) => line.includes('"ack"'))
  expect(acknowledged).toBeGreaterThan(3)
  // The budget, a farewell of 32 KiB, and the message that was on its way.
  expect(acknowledged).toBeLessThan(25)
})
