/** Two devices with their own stores, and streams of a pair in place of a network. */
import 'fake-indexeddb/auto'
import { FootbridgeError } from '@footbridge/shared/errors'
import type { Connection, Stream } from '@libp2p/interface'
import { streamPair } from '@libp2p/utils'
import { afterEach, expect, test, vi } from 'vitest'
import type { Message } from './api.ts'
import { createConversations, type KeptConversations } from './conversations.ts'
import { createImports } from './imports.ts'
import { createIncoming } from './incoming.ts'
import { createLog } from './log.ts'
import { createOutbox, type Outbox } from './outbox.ts'
import { createPeople, type People } from './people.ts'
import { openDatabase } from './store/database.ts'
import { createMessageStore, type MessageStore } from './store/messages.ts'
import { createPeerStore } from './store/peers.ts'

let databases = 0
const outboxes: Outbox[] = []

afterEach(() => {
  vi.useRealTimers()
  for (const outbox of outboxes.splice(0)) outbox.stop()
})

interface Device {
  readonly messages: MessageStore
  readonly people: People
  readonly conversations: KeptConversations
}

async function device(onOutgoing: (peer: string) => void): Promise<Device> {
  const database = await openDatabase(`outbox ${databases++}`, () => undefined)
  const messages = createMessageStore(database)
  const people = createPeople(createPeerStore(database), messages, () => 0)
  const imports = createImports(() => Promise.reject(new Error('no files here')))
  return {
    messages,
    people,
    conversations: createConversations({ messages, people, now: () => 0, imports, onOutgoing, onChange: () => undefined }),
  }
}

interface Scene {
  readonly alice: Device
  readonly bob: Device
  readonly outbox: Outbox
  /** What bob was sent, in order of arrival, every time it arrived. */
  readonly arrived: Message[]
  /** The links that alice opened streams on. */
  readonly opened: string[]
  readonly statuses: string[]
  /** How bob is reached; undefined: not at all. */
  link: string | undefined
  /** Called once bob has stored a message and before he says so. */
  beforeAck: (message: Message, stream: Stream) => void
  /** Bob's store. */
  keep: (message: Message) => Promise<boolean>
  status(id: string): Promise<string | undefined>
}

async function scene(): Promise<Scene> {
  const alice = await device((peer) => outbox.kick(peer))
  const bob = await device(() => undefined)
  const log = createLog(() => 0)
  const connections = new Map<string, Connection>()

  const connect = (link: string): Connection => {
    const known = connections.get(link)
    if (known) return known
    const newStream = async (): Promise<Stream> => {
      here.opened.push(link)
      const [near, far] = await streamPair()
      const receive = async (message: Message): Promise<boolean> => {
        here.arrived.push(message)
        const isNew = await here.keep(message)
        here.beforeAck(message, far)
        return isNew
      }
      const serve = createIncoming({ ...bob, log, conversations: { ...bob.conversations, receive } }, new AbortController().signal)
      serve(far, { remotePeer: { toString: () => 'alice' } } as unknown as Connection)
      return near
    }
    const connection = { newStream } as unknown as Connection
    connections.set(link, connection)
    return connection
  }

  const outbox = createOutbox({
    paths: {
      async connection() {
        if (here.link === undefined) throw new FootbridgeError('peer_unreachable', 'bob is away')
        return connect(here.link)
      },
      watch: () => undefined,
    },
    ...alice,
    log,
    profile: () => ({ name: 'Alice', picture: undefined }),
  })
  outboxes.push(outbox)
  const here: Scene = {
    alice,
    bob,
    outbox,
    arrived: [],
    opened: [],
    statuses: [],
    link: 'circuit',
    beforeAck: () => undefined,
    keep: (message) => bob.conversations.receive(message),
    status: async (id) => (await alice.messages.get('bob', id))?.status,
  }
  alice.conversations.with('bob').subscribe((list) => {
    const status = list.at(-1)?.status
    if (status !== undefined && here.statuses.at(-1) !== status) here.statuses.push(status)
  })
  return here
}

const isStatus = (here: Scene, { id }: Message, status: Message['status']): Promise<void> =>
  vi.waitFor(async () => expect(await here.status(id)).toBe(status), { timeout: 5_000, interval: 5 })
const textsOf = (messages: readonly Message[]): string[] => messages.map(({ body }) => (body.kind === 'text' ? body.text : ''))

test('a message waits, is sent, is delivered, and is with the other', async () => {
  const here = await scene()
  const sent = await here.alice.conversations.sendText('bob', 'hello')
  await isStatus(here, sent, 'delivered')
  expect(here.statuses).toEqual(['waiting', 'sent', 'delivered'])
  const [kept] = await here.bob.messages.list('alice')
  expect(kept).toMatchObject({ id: sent.id, direction: 'in', body: { text: 'hello' } })
  expect(here.bob.people.nameOf('alice'), 'the name goes first').toBe('Alice')
})

test('a lost acknowledgement sends the same id again, and it is kept once', async () => {
  const here = await scene()
  const lost = Promise.withResolvers<void>()
  here.beforeAck = (_, stream) => {
    stream.abort(new Error('the phone fell into the lake'))
    lost.resolve()
  }
  const sent = await here.alice.conversations.sendText('bob', 'hello')
  await lost.promise
  await isStatus(here, sent, 'waiting')
  here.beforeAck = () => undefined
  here.outbox.kick('bob')
  await isStatus(here, sent, 'delivered')
  expect(here.arrived.map(({ id }) => id)).toEqual([sent.id, sent.id])
  expect(textsOf(await here.bob.messages.list('alice'))).toEqual(['hello'])
  expect(here.bob.people.get('alice')?.unread, 'counted once').toBe(1)
})

test('a message that could not be kept by the other is not delivered', async () => {
  const here = await scene()
  here.keep = () => Promise.reject(new Error('disk on fire'))
  const sent = await here.alice.conversations.sendText('bob', 'hello')
  await vi.waitFor(() => expect(here.arrived).toHaveLength(1))
  await isStatus(here, sent, 'waiting')
  expect(here.statuses).not.toContain('delivered')
})

test('who comes online gets what waits, oldest first', async () => {
  const here = await scene()
  here.link = undefined
  await here.alice.conversations.sendText('bob', 'one')
  const last = await here.alice.conversations.sendText('bob', 'two')
  expect(here.opened).toEqual([])
  here.link = 'circuit'
  await here.outbox.kickAll()
  await isStatus(here, last, 'delivered')
  expect(textsOf(here.arrived)).toEqual(['one', 'two'])
})

test('somebody who is here and does not answer is tried again by itself', async () => {
  const here = await scene()
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'], shouldAdvanceTime: true })
  here.alice.people.presence([{ peer: 'bob', name: 'Bob', device: 'phone', since: 0 }], true)
  here.link = undefined
  const sent = await here.alice.conversations.sendText('bob', 'hello')
  await vi.advanceTimersByTimeAsync(1_000)
  here.link = 'circuit'
  await vi.advanceTimersByTimeAsync(2_000)
  await isStatus(here, sent, 'delivered')
})

test('what was refused stays refused and is not sent again', async () => {
  const here = await scene()
  here.keep = () => Promise.reject(new FootbridgeError('storage_full', 'no room'))
  const refused = await here.alice.conversations.sendText('bob', 'too much')
  await isStatus(here, refused, 'refused')
  here.keep = (message) => here.bob.conversations.receive(message)
  await here.alice.conversations.retry('bob', refused.id)
  const next = await here.alice.conversations.sendText('bob', 'hello')
  await isStatus(here, next, 'delivered')
  expect(textsOf(here.arrived)).toEqual(['too much', 'hello'])
  expect(await here.status(refused.id)).toBe('refused')
})

test('messages keep their order, also over a stream that breaks', async () => {
  const here = await scene()
  let stored = 0
  here.beforeAck = (_, stream) => {
    if (++stored === 5) stream.abort(new Error('a lift'))
  }
  const texts = Array.from({ length: 20 }, (_, index) => String(index))
  const sent: Message[] = []
  for (const text of texts) sent.push(await here.alice.conversations.sendText('bob', text))
  await vi.waitFor(
    async () => {
      here.outbox.kick('bob')
      expect(await here.status(sent[19]?.id ?? '')).toBe('delivered')
    },
    { timeout: 10_000, interval: 50 },
  )
  expect(textsOf(await here.bob.messages.list('alice'))).toEqual(texts)
})

test('a better path is taken by the next message', async () => {
  const here = await scene()
  await isStatus(here, await here.alice.conversations.sendText('bob', 'one'), 'delivered')
  here.link = 'direct'
  await isStatus(here, await here.alice.conversations.sendText('bob', 'two'), 'delivered')
  await isStatus(here, await here.alice.conversations.sendText('bob', 'three'), 'delivered')
  expect(here.opened).toEqual(['circuit', 'direct'])
})

test('a stopped outbox sends nothing', async () => {
  const here = await scene()
  here.outbox.stop()
  const sent = await here.alice.conversations.sendText('bob', 'hello')
  await here.outbox.kickAll()
  here.outbox.kick('bob')
  expect([here.opened, await here.status(sent.id)]).toEqual([[], 'waiting'])
})

test.each([
  ['as is known of it', true],
  ['as it has just said', false],
])('a peer that speaks another protocol of messages, %s, is written to by that', async (_how, isKnown) => {
  const alice = await device((peer) => outbox.kick(peer))
  const sent: string[] = []
  const asked: boolean[] = []
  const unsupported = Object.assign(new Error('no'), { name: 'UnsupportedProtocolError' })
  const outbox = createOutbox({
    paths: { connection: async () => ({ newStream: () => Promise.reject(unsupported) }) as unknown as Connection, watch: () => undefined },
    ...alice,
    log: createLog(() => 0),
    profile: () => ({ name: 'Alice', picture: undefined }),
    async otherSender(_connection, refused) {
      asked.push(refused)
      if (!isKnown && !refused) return undefined
      return {
        open: true,
        inFlight: 0,
        profile: async () => undefined,
        async send(frame, onWritten) {
          onWritten()
          if (frame.type === 'text') sent.push(frame.text)
          return { kind: 'delivered' }
        },
        close: () => undefined,
      }
    },
  })
  outboxes.push(outbox)
  const { id } = await alice.conversations.sendText('bob', 'hello')
  await vi.waitFor(async () => expect((await alice.messages.get('bob', id))?.status).toBe('delivered'))
  expect(sent).toEqual(['hello'])
  expect(asked).toEqual(isKnown ? [false] : [false, true])
})
