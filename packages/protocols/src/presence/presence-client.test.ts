import { streamPair } from '@libp2p/utils'
import { decodePresenceFrame } from '@footbridge/shared/wire/presence-frame'
import { encodeJsonFrame } from '@footbridge/shared/wire/json-frame'
import { expect, test } from 'vitest'
import { frameStream } from '../frame-stream.ts'
import { createPresenceClient } from './presence-client.ts'

test('it says who we are, hears who is here, and tells of the end once', async () => {
  const [near, far] = await streamPair()
  const bridge = frameStream(far, { maxFrameBytes: 64 * 1024 })
  const heard: unknown[] = []
  const ended = Promise.withResolvers<void>()
  const client = createPresenceClient(near, {
    peers: (rows, reset) => heard.push(['peers', rows.map((row) => row.name), reset]),
    gone: (peers) => heard.push(['gone', peers]),
    ended: ({ code }) => {
      heard.push(['ended', code])
      ended.resolve()
    },
  })
  await client.hello('Alice', 'browser')
  expect(decodePresenceFrame((await bridge.read()) ?? new Uint8Array())).toEqual({ type: 'hello', name: 'Alice', device: 'browser' })
  await bridge.write([encodeJsonFrame({ type: 'peers', rows: [{ peer: 'b', name: 'Bob', device: 'phone', since: 1 }], reset: true })])
  await bridge.write([encodeJsonFrame({ type: 'weather', sunny: true })])
  await bridge.write([encodeJsonFrame({ type: 'gone', peers: ['b'] })])
  await far.close()
  await ended.promise
  client.close()
  expect(heard).toEqual([
    ['peers', ['Bob'], true],
    ['gone', ['b']],
    ['ended', 'unreachable'],
  ])
})
