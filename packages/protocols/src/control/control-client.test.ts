import { streamPair } from '@libp2p/utils'
import { decodeControlFrame } from '@footbridge/shared/wire/control-frame'
import { encodeJsonFrame } from '@footbridge/shared/wire/json-frame'
import { expect, test } from 'vitest'
import { frameStream } from '../frame-stream.ts'
import { createControlClient } from './control-client.ts'

const limits = { bytesPerSecond: null, bytesPerDay: 1000, bytesUsedToday: 10, circuits: 5, circuitsPerMinute: null }

test('it greets with its clock, hears what the bridge tells, skips what it does not know, and tells of the end once', async () => {
  const [near, far] = await streamPair()
  const bridge = frameStream(far, { maxFrameBytes: 64 * 1024 })
  const heard: unknown[] = []
  const ended = Promise.withResolvers<void>()
  const client = createControlClient(near, {
    frame: (frame) => heard.push(frame),
    ended: ({ code }) => {
      heard.push(code)
      ended.resolve()
    },
  })
  await client.hello(7)
  expect(decodeControlFrame((await bridge.read()) ?? new Uint8Array())).toEqual({ type: 'hello', now: 7 })
  const frames = [
    { type: 'welcome', now: 9, limits },
    { type: 'weather', sunny: true },
    { type: 'held', limit: 'bytes_per_moon', scope: 'token', until: null },
    { type: 'draining', reconnectInMs: 100, awayMs: 5000 },
  ]
  for (const frame of frames) await bridge.write([encodeJsonFrame(frame)])
  await far.close()
  await ended.promise
  client.close()
  expect(heard).toEqual([frames[0], { ...frames[2], limit: 'other' }, frames[3], 'unreachable'])
})

test('a bridge that breaks the protocol ends the stream, and only that', async () => {
  const [near, far] = await streamPair()
  const ended = Promise.withResolvers<string>()
  createControlClient(near, { frame: () => undefined, ended: ({ code }) => ended.resolve(code) })
  await frameStream(far, { maxFrameBytes: 64 * 1024 }).write([encodeJsonFrame({ type: 'draining', reconnectInMs: -1, awayMs: null })])
  expect(await ended.promise).toBe('protocol_violation')
})
