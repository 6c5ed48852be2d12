import 'fake-indexeddb/auto'
import { afterEach, expect, test } from 'vitest'
import type { Footbridge, Message, Readable } from './api.ts'
import { openFootbridge, type OpenOptions } from './open.ts'

let databases = 0
const opened: Footbridge[] = []
const freshName = (): string => `open ${databases++}`

async function open(databaseName: string, options: OpenOptions = {}): Promise<Footbridge> {
  const footbridge = await openFootbridge({
    databaseName,
    bridgeUrl: 'http://bridge.invalid',
    tabs: { locks: undefined, channel: undefined },
    fetch: () => Promise.reject(new TypeError('no network')),
    transports: [],
    ...options,
  })
  opened.push(footbridge)
  return footbridge
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map((footbridge) => footbridge.close()))
})

function until<Value>(readable: Readable<Value>, isIt: (value: Value) => boolean): Promise<Value> {
  return new Promise((resolve) => void readable.subscribe((value) => isIt(value) && resolve(value)))
}
const textOf = (message: Message | undefined): string => (message?.body.kind === 'text' ? message.body.text : '')

test('a device that was never enrolled is out, with no identity and no network', async () => {
  const footbridge = await open(freshName())
  expect(footbridge.connection.get()).toEqual({ state: 'out' })
  expect(footbridge.identity()).toBeUndefined()
})

test('messages written without a network wait, and are there again after a reload', async () => {
  const name = freshName()
  const first = await open(name)
  await first.conversations.sendText('bob', 'hello')
  await first.conversations.sendText('bob', 'are you there')
  await first.close()
  const second = await open(name)
  const messages = await until(second.conversations.with('bob'), (list) => list.length === 2)
  expect(messages.map((message) => [textOf(message), message.status])).toEqual([
    ['hello', 'waiting'],
    ['are you there', 'waiting'],
  ])
  const [bob] = await until(second.peers, (list) => list.length === 1)
  expect(bob).toMatchObject({ id: 'bob', online: false })
  expect(textOf(bob?.lastMessage)).toBe('are you there')
})

test('a file that was sent opens without a network, and removed it is gone', async () => {
  const name = freshName()
  const first = await open(name)
  const message = await first.conversations.sendFile('bob', new File(['a ship'], 'ship.txt', { type: 'text/plain' }))
  if (message.body.kind !== 'file') throw new Error('not a file')
  const { file } = message.body
  await first.close()
  const second = await open(name)
  expect(await (await second.blobs.open(file)).text()).toBe('a ship')
  expect((await until(second.blobs.transfer(file.cid), (transfer) => transfer !== undefined))?.state).toBe('complete')
  await second.blobs.remove(file.cid)
  await expect(second.blobs.open(file)).rejects.toMatchObject({ code: 'block_not_found' })
})

test('a file shows from the click until its message is there, and can be called off', async () => {
  const footbridge = await open(freshName())
  const { conversations } = footbridge
  const seen: string[] = []
  conversations
    .importing('bob')
    .subscribe((list) => void seen.push(list.map(({ name, size, bytesDone }) => `${name} ${bytesDone}/${size}`).join()))
  await conversations.sendFile('bob', new File(['a ship'], 'ship.txt'))
  expect(seen).toEqual(['', 'ship.txt 0/6', 'ship.txt 6/6', ''])
  const called = conversations.sendFile('bob', new File(['another ship'], 'other.txt'))
  conversations.cancelImport(conversations.importing('bob').get()[0]?.id ?? '')
  await expect(called).rejects.toMatchObject({ code: 'aborted' })
  expect((await footbridge.storageUse()).messages).toBe(1)
})

test('a login that reaches nobody says so and leaves the device out', async () => {
  const footbridge = await open(freshName())
  await expect(footbridge.login({ guest: true })).rejects.toMatchObject({ code: 'unreachable' })
  expect(footbridge.connection.get()).toEqual({ state: 'out', reason: 'unreachable' })
})

test('what is not a token is refused before anything is asked', async () => {
  const footbridge = await open(freshName())
  await expect(footbridge.login({ token: 'open sesame' })).rejects.toMatchObject({ code: 'token_unknown' })
})

test('an exported identity replaces that of another device', async () => {
  const alice = await open(freshName())
  await expect(alice.login({ guest: true })).rejects.toThrow()
  const exported = await alice.identity()?.exportWith('correct horse')
  const other = await open(freshName())
  await expect(other.importIdentity(exported ?? '', 'wrong horse')).rejects.toMatchObject({ code: 'passphrase_wrong' })
  await other.importIdentity(exported ?? '', 'correct horse')
  expect(other.identity()?.peer).toBe(alice.identity()?.peer)
})

test.runIf(navigator.locks)('a second tab shows what the first one sees, has it act, and takes over when it closes', async () => {
  const name = freshName()
  const tabs = (): NonNullable<OpenOptions['tabs']> => ({ locks: navigator.locks, channel: new BroadcastChannel(name) })
  const first = await open(name, { tabs: tabs() })
  const second = await open(name, { tabs: tabs(), bridgeUrl: 'http://elsewhere.invalid' })
  expect([first.tab.get(), second.tab.get()]).toEqual(['leads', 'follows'])
  await expect(second.login({ guest: true })).rejects.toMatchObject({ code: 'unreachable' })
  await until(second.connection, (state) => state.state === 'out' && state.reason === 'unreachable')
  expect(second.bridgeUrl()).toBe(first.bridgeUrl())
  await expect(second.dial('bob')).rejects.toMatchObject({ code: 'peer_unreachable' })

  await second.conversations.sendText('bob', 'from the second tab')
  await until(first.conversations.with('bob'), (list) => textOf(list[0]) === 'from the second tab')
  await until(first.peers, (list) => list[0]?.id === 'bob')
  await first.conversations.sendText('charlie', 'from the first tab')
  await until(second.peers, (list) => list.length === 2)

  await first.close()
  await until(second.tab, (role) => role === 'leads')
  await until(second.connection, ({ state }) => state === 'out')
  expect(
    second.peers
      .get()
      .map(({ id }) => id)
      .sort(),
  ).toEqual(['bob', 'charlie'])
})

test('forgetting leaves nothing, also after a reload', async () => {
  const name = freshName()
  const footbridge = await open(name)
  await footbridge.setProfile({ name: 'Alice', picture: undefined })
  await footbridge.conversations.sendText('bob', 'hello')
  await footbridge.forget()
  expect([footbridge.peers.get(), footbridge.profile.get().name, footbridge.identity()]).toEqual([[], '', undefined])
  await footbridge.close()
  expect((await (await open(name)).storageUse()).messages).toBe(0)
})
