import { defaultLogger } from '@libp2p/logger'
import type { Connection, Stream } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { streamPair } from '@libp2p/utils'
import { sendDirectMessage } from '@footbridge/protocols/uc-dm/direct-message-asker'
import type { DirectMessageRequest } from '@footbridge/protocols/uc-dm/direct-message'
import { serveDirectMessage } from '@footbridge/protocols/uc-dm/direct-message-server'
import { FootbridgeError } from '@footbridge/shared/errors'
import { expect, test, vi } from 'vitest'
import type { Message } from '../api.ts'
import { createDirectIncoming, createDirectSender } from './direct.ts'
import { MAX_DIRECT_AT_ONCE } from './limits.ts'

const NOW = 1_700_000_000_000
const peer = peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
const own = { clientVersion: '0.0.1', timestamp: NOW - 5_000 }

function incoming(receive: (message: Message) => Promise<boolean>): (stream: Stream) => void {
  const log = { info: () => undefined, warn: () => undefined }
  const kept = { conversations: { receive }, people: { nameOf: () => 'bob' }, log, now: () => NOW }
  const take = createDirectIncoming(kept as unknown as Parameters<typeof createDirectIncoming>[0], new AbortController().signal)
  return (stream) => take(stream, { remotePeer: peer } as Connection)
}

test('a direct message becomes one of the conversation, by the clock of its sender', async () => {
  const [alice, bob] = await streamPair()
  const got: Message[] = []
  incoming(async (message) => got.push(message) > 0)(bob)
  expect(await sendDirectMessage(alice, 'hello', own)).toEqual({ kind: 'delivered' })
  expect(got).toMatchObject([
    { peer: peer.toString(), at: own.timestamp, direction: 'in', status: 'delivered', body: { kind: 'text', text: 'hello' } },
  ])
})

test.each([
  ['a year ago', NOW - 365 * 86_400_000, NOW],
  ['tomorrow', NOW + 80_000_000, NOW],
  ['a minute ago', NOW - 60_000, NOW - 60_000],
])('a message written %s stands in its place', async (_when, timestamp, at) => {
  const [alice, bob] = await streamPair()
  const got: Message[] = []
  incoming(async (message) => got.push(message) > 0)(bob)
  await sendDirectMessage(alice, 'hello', { ...own, timestamp })
  expect(got[0]?.at).toBe(at)
})

test('a device without room says that it did not keep the message', async () => {
  const [alice, bob] = await streamPair()
  incoming(() => Promise.reject(new FootbridgeError('storage_full', 'full')))(bob)
  expect(await sendDirectMessage(alice, 'hello', own)).toMatchObject({ kind: 'refused', status: 500 })
})

test('one peer has only so many messages kept at a time', async () => {
  const gate = Promise.withResolvers<boolean>()
  const take = incoming(() => gate.promise)
  const answers = await Promise.all(
    Array.from({ length: MAX_DIRECT_AT_ONCE + 1 }, async () => {
      const [alice, bob] = await streamPair()
      take(bob)
      return { answer: sendDirectMessage(alice, 'hello', own) }
    }),
  )
  expect(await answers.at(-1)?.answer).toMatchObject({ kind: 'refused' })
  gate.resolve(true)
  expect(await answers[0]?.answer).toEqual({ kind: 'delivered' })
})

test('messages that were kept side by side leave no trace in the count', async () => {
  const gates = [Promise.withResolvers<boolean>(), Promise.withResolvers<boolean>()]
  let begun = 0
  const take = incoming(() => gates[begun++]?.promise ?? Promise.resolve(true))
  const send = async (): Promise<unknown> => {
    const [alice, bob] = await streamPair()
    take(bob)
    return sendDirectMessage(alice, 'hello', own)
  }
  for (let round = 0; round <= MAX_DIRECT_AT_ONCE; round++) {
    begun = 0
    gates[0] = Promise.withResolvers()
    gates[1] = Promise.withResolvers()
    const [first, second] = [send(), send()]
    await vi.waitFor(() => expect(begun).toBe(2))
    gates[0].resolve(true)
    expect(await first).toEqual({ kind: 'delivered' })
    gates[1].resolve(true)
    expect(await second).toEqual({ kind: 'delivered' })
  }
})

/** A connection to somebody who takes direct messages. */
function connectionTo(got: DirectMessageRequest[], keep: () => Promise<void> = async () => undefined): Connection {
  return {
    status: 'open',
    log: defaultLogger().forComponent('test'),
    newStream: async () => {
      const [alice, bob] = await streamPair()
      void serveDirectMessage(bob, {
        metadata: () => own,
        async keep(request) {
          await keep()
          got.push(request)
        },
      })
      return alice
    },
  } as unknown as Connection
}

test('the outbox sends texts, each on a stream of its own', async () => {
  const got: DirectMessageRequest[] = []
  const sender = createDirectSender(connectionTo(got))
  await sender.profile({ type: 'profile', name: 'Alice' })
  for (const text of ['one', 'two'])
    expect(await sender.send({ type: 'text', id: text, at: NOW, text }, () => undefined)).toEqual({ kind: 'delivered' })
  expect(got.map(({ content, metadata }) => [content, metadata?.timestamp])).toEqual([
    ['one', NOW],
    ['two', NOW],
  ])
  expect([sender.open, sender.inFlight]).toEqual([true, 0])
})

test('a file is refused, because their protocol has none', async () => {
  const sender = createDirectSender(connectionTo([]))
  const file = { type: 'file', id: 'f', at: NOW, cid: 'bafy', name: 'a', size: 1, media: '' } as const
  expect(await sender.send(file, () => undefined)).toMatchObject({ kind: 'refused' })
})

test('what they do not take is refused, and the sender goes on', async () => {
  const sender = createDirectSender(connectionTo([], () => Promise.reject(new Error('no'))))
  expect(await sender.send({ type: 'text', id: '1', at: NOW, text: 'hello' }, () => undefined)).toMatchObject({ kind: 'refused' })
  expect(sender.open).toBe(true)
})

test('a sender whose stream broke is not used again', async () => {
  const sender = createDirectSender({ status: 'open', newStream: () => Promise.reject(new Error('gone')) } as unknown as Connection)
  await expect(sender.send({ type: 'text', id: '1', at: NOW, text: 'hello' }, () => undefined)).rejects.toMatchObject({
    code: 'peer_unreachable',
  })
  expect(sender.open).toBe(false)
})
