/**
 * One person, many places: two tabs, two browsers with one identity, a bridge that dies and comes back, a bridge under TLS.
 */
import { join } from 'node:path'
import { root } from '../../scripts/steps.ts'
import { createToken, listPeers } from '../helpers/cli.ts'
import { App } from '../helpers/app.ts'
import { startNativePeer } from '../helpers/native.ts'
import { randomFile } from '../helpers/random-file.ts'
import { words } from '../helpers/words.ts'
import { expect, test, type Person } from './fixtures.ts'

const PASSPHRASE = 'a lantern by the water'

/** Gives the browser of `to` the identity of `from`; it then stands before the bridge and is not logged in. */
async function carryIdentity(from: Person, to: Person): Promise<void> {
  await to.app.beginImport(await from.app.exportIdentity(PASSPHRASE))
  await to.app.tryPassphrase(PASSPHRASE)
  await expect(to.app.comeBack).toBeVisible()
}

test('a second tab is a window onto the same peer: it sees, sends and dials through the first, and takes over when that one closes', async ({
  bridge,
  person,
  until,
}) => {
  const [alice, bob] = [await person('alice'), await person('bob')]
  await alice.app.open('bob')
  await alice.app.say('from the first tab')
  await bob.app.open('alice')
  await expect(bob.app.message('from the first tab')).toBeVisible()

  const page = await alice.context.newPage()
  const second = new App(page)
  await page.goto(`${bridge.origin}/people/${bob.peer}`)
  await second.online()
  await expect(second.message('from the first tab')).toBeVisible()
  await second.go('network')
  await expect(page.getByText(words('network_tab'))).toBeVisible()

  await second.go('people')
  await expect(second.here('bob')).toBeVisible()
  await second.open('bob')
  await second.say('from the second tab')
  await expect(bob.app.message('from the second tab')).toBeVisible()
  await expect(second.lastStatus).toContainText(words('status_delivered'))
  await expect(alice.app.message('from the second tab')).toBeVisible()
  await bob.app.say('to both')
  for (const app of [alice.app, second]) await expect(app.message('to both')).toBeVisible()

  // A file offered by the second tab is served by the first, and one for it is fetched by the first and opened here.
  const [lantern, pier] = [await randomFile(200_000), await randomFile(200_000)]
  await second.sendFile(lantern.path)
  await bob.app.getFile(lantern.name)
  await bob.app.complete(lantern.name)
  await bob.app.sendFile(pier.path)
  await second.getFile(pier.name)
  await second.complete(pier.name)
  await Promise.all([lantern.remove(), pier.remove()])
  // Held once: one session at the bridge, reached as before.
  const native = until(startNativePeer(await bridge.circuitAddress(alice.peer)))
  await native.event('pinged')

  await alice.page.close()
  await second.online()
  await expect(page.getByText(words('network_tab'))).toHaveCount(0)
  await bob.app.say('to whichever tab is there')
  await expect(second.message('to whichever tab is there')).toBeVisible()
})

test('a tab that hangs loses the peer to one that is awake, and follows when it is back', async ({ bridge, person }) => {
  const [alice, bob] = [await person('alice'), await person('bob')]
  const page = await alice.context.newPage()
  const second = new App(page)
  await page.goto(bridge.origin)
  await second.online()

  // It answers nobody, and keeps its lock: so does one that the browser froze.
  const hangs = alice.page.evaluate(() => {
    const until = performance.now() + 20_000
    while (performance.now() < until);
  })
  await second.go('network')
  await expect(page.getByText(words('network_tab'))).toHaveCount(0, { timeout: 20_000 })
  await second.online()
  await bob.app.open('alice')
  await bob.app.say('to the one that is awake')
  await second.go('people')
  await second.open('bob')
  await expect(second.message('to the one that is awake')).toBeVisible()

  await hangs
  await alice.app.online()
  await alice.app.go('network')
  await expect(alice.page.getByText(words('network_tab'))).toBeVisible()
  await bob.app.say('to both')
  await expect(second.message('to both')).toBeVisible()
  await expect(bob.app.lastStatus).toContainText(words('status_delivered'))
})

test('an identity moves to another browser in a file, which opens with its passphrase and with no other', async ({ bridge, person }) => {
  const [alice, other] = [await person('alice'), await person('other')]
  const file = await alice.app.exportIdentity(PASSPHRASE)
  await alice.context.close()

  await other.app.beginImport(file)
  await other.app.tryPassphrase('a lantern by the road')
  await expect(other.app.trouble).toHaveText(words('error_passphrase_wrong'))
  await other.app.tryPassphrase(PASSPHRASE)
  await other.app.comeBack.click()
  await other.app.online()

  await other.app.go('settings')
  await expect(other.page.getByText(alice.peer, { exact: true }).first()).toBeVisible()
  // Here once, on her token; the identity that the browser had before is gone.
  await expect
    .poll(async () => (await listPeers(bridge)).map(({ peer, tokenId }) => [peer, tokenId]))
    .toEqual([[alice.peer, alice.token.id]])
})

test('of two devices with one identity the newer one stays; the older one says so, keeps still, and can take it back', async ({
  person,
}) => {
  const [alice, other, bob] = [await person('alice'), await person('other'), await person('bob')]
  await carryIdentity(alice, other)
  await other.app.comeBack.click()
  await other.app.online()
  await expect(alice.app.trouble).toHaveText(words('error_other_device'))

  const tries: string[] = []
  alice.page.on('request', (request) => request.url().includes('/api/') && tries.push(request.url()))
  alice.page.on('websocket', (socket) => tries.push(socket.url()))
  // What wakes a device that is merely away.
  await alice.page.evaluate(() => {
    dispatchEvent(new Event('offline'))
    dispatchEvent(new Event('online'))
    document.dispatchEvent(new Event('visibilitychange'))
  })
  // The newer device has kept its own profile.
  await bob.app.open('other')
  await bob.app.say('to the newer one')
  await other.app.go('people')
  await other.app.open('bob')
  await expect(other.app.message('to the newer one')).toBeVisible()
  await expect(bob.app.lastStatus).toContainText(words('status_delivered'))
  await expect(alice.app.trouble).toHaveText(words('error_other_device'))
  expect(tries).toEqual([])

  await alice.app.comeBack.click()
  await alice.app.online()
  await expect(other.app.trouble).toHaveText(words('error_other_device'))
  await bob.app.say('to the first one again')
  await alice.app.go('people')
  await alice.app.open('bob')
  await expect(alice.app.message('to the first one again')).toBeVisible()
})

test('a bridge that was killed and is back finds its people by itself, and what waited is delivered', async ({ bridge, person }, info) => {
  const [alice, bob] = [await person('alice'), await person('bob')]
  // With a direct path they would not need the bridge for this.
  await alice.context.addInitScript(() => Reflect.deleteProperty(globalThis, 'RTCPeerConnection'))
  await alice.page.reload()
  await alice.app.online()
  await alice.app.open('bob')
  await alice.app.say('before')
  await expect(alice.app.lastStatus).toContainText(words('status_delivered'))
  for (const { page } of [alice, bob]) await page.evaluate(() => Object.assign(globalThis, { sameDocument: true }))

  await bridge.kill()
  for (const { app } of [alice, bob]) await expect(app.hop('hop_away')).toBeVisible()
  await alice.app.say('for when it is back')
  await expect(alice.app.log.getByText(words('status_waiting', { name: 'bob' }))).toBeVisible()

  await bridge.restart()
  const startedAt = performance.now()
  const online = async ({ name, app }: Person): Promise<void> => {
    await app.hop('online').waitFor({ timeout: 30_000 })
    const description = `${name} online ${Math.round(performance.now() - startedAt)} ms after the bridge answered`
    info.annotations.push({ type: 'measured', description })
    process.stdout.write(`      ${description}\n`)
  }
  await Promise.all([online(alice), online(bob)])
  await bob.app.open('alice')
  await expect(bob.app.message('for when it is back')).toBeVisible({ timeout: 30_000 })
  await expect(alice.app.log.getByText(words('status_waiting', { name: 'bob' }))).toHaveCount(0)
  await expect(alice.app.lastStatus).toContainText(words('status_delivered'))
  for (const { page } of [alice, bob]) expect(await page.evaluate(() => 'sameDocument' in globalThis)).toBe(true)
})

test.describe('under TLS', () => {
  const fixture = (name: string): string => join(root, 'apps/bridge/src/http/fixtures', name)
  test.use({
    // Without WebTransport, which would come in first where the machine can do it.
    bridgeFlags: ['--tls-cert', fixture('first-cert.pem'), '--tls-key', fixture('first-key.pem'), '--wt-port', 'off'],
    // The certificate is signed by nobody.
    ignoreHTTPSErrors: true,
  })

  test('a login works, and the first hop is wss', async ({ bridge, page, person }) => {
    const sockets: string[] = []
    page.on('websocket', (socket) => sockets.push(socket.url()))
    const bob = await person('bob')
    const { link } = await createToken(bridge, 'charlie')
    expect(link).toMatch(/^https:/)
    await new App(page).arrive(link, 'charlie')
    expect(sockets.length).toBeGreaterThan(0)
    expect(sockets.filter((url) => !url.startsWith(`wss://localhost:${bridge.port}/`))).toEqual([])

    await bob.app.go('network')
    await expect(bob.page.getByText(new RegExp(`^/dns/localhost/tcp/${bridge.port}/(tls|wss)(/ws)?/p2p/`))).toBeVisible()
    await bob.app.go('people')
    await expect(bob.app.here('charlie')).toBeVisible()
  })
})
