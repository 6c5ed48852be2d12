import { streamPair } from '@libp2p/utils'
import { decodeAnnounceFrame } from '@footbridge/shared/wire/announce-frame'
import { encodeJsonFrame } from '@footbridge/shared/wire/json-frame'
import { expect, test } from 'vitest'
import { frameStream } from '../frame-stream.ts'
import { createAnnounceClient } from './announce-client.ts'

test('it tells its choice and its record, hears what becomes of them, skips what it does not know, and tells of the end once', async () => {
  const [near, far] = await streamPair()
  const bridge = frameStream(far, { maxFrameBytes: 64 * 1024 })
  const heard: unknown[] = []
  const ended = Promise.withResolvers<void>()
  const client = createAnnounceClient(near, {
    places: (places) => heard.push(places),
    wanted: (addresses, after) => heard.push([addresses, after]),
    refused: (reason) => heard.push(reason),
    ended: ({ code }) => {
      heard.push(code)
      ended.resolve()
    },
  })
  const next = async (): Promise<unknown> => decodeAnnounceFrame((await bridge.read()) ?? new Uint8Array())
  await client.visible('network')
  expect(await next()).toEqual({ type: 'visible', visibility: 'network' })
  await client.record({ envelope: Uint8Array.of(1, 2, 3), legacy: Uint8Array.of(4) })
  expect(await next()).toEqual({ type: 'record', envelope: 'AQID', legacy: 'BA' })

  const places = [{ place: 'mdns', state: 'announced', names: ['_p2p._udp.local'] }]
  for (const frame of [
    { type: 'places', places },
    { type: 'weather', sunny: true },
    { type: 'wanted', addresses: ['/a'], after: 3 },
    { type: 'refused', reason: 'too_windy' },
  ])
    await bridge.write([encodeJsonFrame(frame)])
  await far.close()
  await ended.promise
  client.close()
  expect(heard).toEqual([places, [['/a'], 3], 'other', 'unreachable'])
})

test('a bridge that breaks the protocol ends the stream, and only that', async () => {
  const [near, far] = await streamPair()
  const ended = Promise.withResolvers<string>()
  const nothing = (): void => undefined
  createAnnounceClient(near, { places: nothing, wanted: nothing, refused: nothing, ended: ({ code }) => ended.resolve(code) })
  await frameStream(far, { maxFrameBytes: 64 * 1024 }).write([encodeJsonFrame({ type: 'wanted', addresses: 'all of them', after: 0 })])
  expect(await ended.promise).toBe('protocol_violation')
})
