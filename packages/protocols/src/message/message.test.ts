import { streamPair } from '@libp2p/utils'
import { utf8Encode } from '@footbridge/shared/text-codec'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { frameStream } from '../frame-stream.ts'
import { receiveMessages, type MessageReceiver } from './message-receiver.ts'
import { createMessageSender, MAX_MESSAGES_IN_FLIGHT, type OutgoingFrame } from './message-sender.ts'

const text = (id: string): OutgoingFrame => ({ type: 'text', id, at: 1, text: `message ${id}` })

test('a message is stored before its sender hears that it was delivered', async () => {
  const [alice, bob] = await streamPair()
  const order: string[] = []
  const receiving = receiveMessages(bob, {
    onProfile: ({ name }) => order.push(`profile ${name}`),
    store: async (frame) => {
      await Promise.resolve()
      order.push(`stored ${frame.id}`)
      return 'stored'
    },
  })
  const sender = createMessageSender(alice)
  await sender.profile({ type: 'profile', name: 'Alice' })
  const answer = await sender.send(text('1'), () => order.push('written'))
  order.push(answer.kind)
  expect(order).toEqual(['written', 'profile Alice', 'stored 1', 'delivered'])
  sender.close()
  await receiving
})

test('messages of one stream are stored in the order in which they were sent', async () => {
  const [alice, bob] = await streamPair()
  const stored: string[] = []
  const receiving = receiveMessages(bob, storing(stored))
  const sender = createMessageSender(alice)
  const ids = Array.from({ length: MAX_MESSAGES_IN_FLIGHT }, (_, index) => String(index))
  const sent = ids.map((id) => sender.send(text(id), () => undefined))
  await expect(sender.send(text('one too many'), () => undefined)).rejects.toMatchObject({ code: 'rate_limited' })
  await Promise.all(sent)
  expect(stored).toEqual(ids)
  sender.close()
  await receiving
})

test('a refusal carries its reason and leaves the stream open', async () => {
  const [alice, bob] = await streamPair()
  void receiveMessages(bob, { onProfile: () => undefined, store: async ({ id }) => (id === 'no' ? 'full' : 'stored') })
  const sender = createMessageSender(alice)
  expect(await sender.send(text('no'), () => undefined)).toEqual({ kind: 'refused', reason: 'full' })
  expect(await sender.send(text('yes'), () => undefined)).toEqual({ kind: 'delivered' })
  sender.close()
})

test('a message whose answer is lost fails, and the stream is not used again', async () => {
  const [alice, bob] = await streamPair()
  const sender = createMessageSender(alice)
  const sent = sender.send(text('1'), () => bob.abort(new Error('the phone fell into the lake')))
  await expect(sent).rejects.toMatchObject({ code: 'peer_unreachable' })
  expect(sender.open).toBe(false)
})

test('a message that cannot be stored is not acknowledged', async () => {
  const [alice, bob] = await streamPair()
  const receiving = receiveMessages(bob, { onProfile: () => undefined, store: () => Promise.reject(new Error('disk on fire')) })
  await expect(createMessageSender(alice).send(text('1'), () => undefined)).rejects.toMatchObject({ code: 'peer_unreachable' })
  expect(await receiving).toMatchObject({ code: 'internal' })
})

test('frames of unknown type are skipped', async () => {
  const [alice, bob] = await streamPair()
  const stored: string[] = []
  const receiving = receiveMessages(bob, storing(stored))
  const frames = frameStream(alice, { maxFrameBytes: 1000 })
  await frames.write([utf8Encode('{"type":"wave"}')])
  await frames.write([utf8Encode(JSON.stringify(text('1')))])
  await frames.read()
  await alice.close()
  expect(await receiving).toBeUndefined()
  expect(stored).toEqual(['1'])
})

test('random frames end the stream with a typed error and store nothing', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), async (bytes) => {
      const [alice, bob] = await streamPair()
      const stored: string[] = []
      const receiving = receiveMessages(bob, storing(stored))
      await frameStream(alice, { maxFrameBytes: 1000 }).write([bytes])
      expect((await receiving)?.code).toBe('protocol_violation')
      expect(stored).toEqual([])
    }),
    { numRuns: 30 },
  )
})

function storing(stored: string[]): MessageReceiver {
  return {
    onProfile: () => undefined,
    store: async ({ id }) => {
      stored.push(id)
      return 'stored'
    },
  }
}
