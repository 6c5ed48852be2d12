import { streamPair } from '@libp2p/utils'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { Connection } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { frameStream, type FrameStream } from '@footbridge/protocols/frame-stream'
import { openRecord } from '@footbridge/protocols/announce/signed-records'
import { base64urlDecode } from '@footbridge/shared/text-codec'
import { decodeAnnounceFrame, type AnnounceFrame } from '@footbridge/shared/wire/announce-frame'
import { encodeJsonFrame } from '@footbridge/shared/wire/json-frame'
import { expect, test, vi } from 'vitest'
import { createAnnouncing, type Announcing } from './announcing.ts'
import type { Findable } from './api.ts'
import { createLog, type Log } from './log.ts'
import { writable, type Writable } from './observable.ts'

const key = await generateKeyPair('Ed25519')
const BRIDGE = peerIdFromPrivateKey(await generateKeyPair('Ed25519')).toString()
const CIRCUIT = `/ip4/192.0.2.1/tcp/4001/p2p/${BRIDGE}/p2p-circuit`
const NOW = 1_700_000_000_000

interface Bench {
  readonly announcing: Announcing
  readonly findable: Writable<Findable>
  readonly log: Log
  /** The bridge's end of the stream of this link. */
  readonly connect: () => Promise<{
    next: () => Promise<AnnounceFrame | undefined>
    say: (frame: unknown) => Promise<void>
    close: () => Promise<void>
  }>
}

function bench(choice: Findable['choice']): Bench {
  const findable = writable<Findable>({ choice, places: [], isSupported: undefined })
  const log = createLog(() => NOW)
  const announcing = createAnnouncing({ key, findable, bridgePeer: () => BRIDGE, log, now: () => NOW })
  return {
    announcing,
    findable,
    log,
    async connect() {
      const [near, far] = await streamPair()
      const frames: FrameStream = frameStream(far, { maxFrameBytes: 64 * 1024 })
      await announcing.open({ newStream: async () => near } as unknown as Connection)
      return {
        async next() {
          const bytes = await frames.read(AbortSignal.timeout(5_000))
          return bytes && decodeAnnounceFrame(bytes)
        },
        say: (frame) => frames.write([encodeJsonFrame(frame)]),
        close: () => far.close(),
      }
    },
  }
}

const eventually = <Value>(check: () => Value): Promise<Value> => vi.waitFor(check, { timeout: 5_000, interval: 5 })

async function opened(frame: AnnounceFrame | undefined): Promise<{ seq: bigint; addresses: string[] }> {
  if (frame?.type !== 'record') throw new Error(`a record was expected, not ${JSON.stringify(frame)}`)
  const record = await openRecord(base64urlDecode(frame.envelope) ?? new Uint8Array(), 'standard')
  if (typeof record === 'string') throw new Error(record)
  expect(await openRecord(base64urlDecode(frame.legacy) ?? new Uint8Array(), 'legacy')).toEqual(record)
  expect(record.peer.toString()).toBe(peerIdFromPrivateKey(key).toString())
  return { seq: record.seq, addresses: record.addresses.map(String) }
}

test('a device for everybody says so, signs what it is asked to, numbered by its clock, and shows where it is told', async () => {
  const { connect, findable } = bench('network')
  const bridge = await connect()
  expect(await bridge.next()).toEqual({ type: 'visible', visibility: 'network' })
  await bridge.say({ type: 'wanted', addresses: [CIRCUIT], after: 5 })
  expect(await opened(await bridge.next())).toEqual({ seq: BigInt(NOW), addresses: [CIRCUIT] })
  await bridge.say({ type: 'wanted', addresses: [CIRCUIT], after: NOW + 60_000 })
  expect(await opened(await bridge.next())).toMatchObject({ seq: BigInt(NOW + 60_001) })
  const places = [{ place: 'mdns', state: 'announced', names: ['_p2p._udp.local'] }]
  await bridge.say({ type: 'places', places })
  await eventually(() => expect(findable.get()).toEqual({ choice: 'network', places, isSupported: true }))
  await bridge.close()
  await eventually(() => expect(findable.get().places).toEqual([]))
})

test('it signs nothing but circuits through its own bridge, however it is asked', async () => {
  const { connect } = bench('network')
  const bridge = await connect()
  await bridge.next()
  const other = peerIdFromPrivateKey(await generateKeyPair('Ed25519')).toString()
  const wrong = [`/ip4/192.0.2.1/tcp/4001/p2p/${other}/p2p-circuit`, '/ip4/192.0.2.66/tcp/80', `${CIRCUIT}/p2p/${other}`, 'nonsense']
  await bridge.say({ type: 'wanted', addresses: wrong, after: 0 })
  await bridge.say({ type: 'wanted', addresses: [...wrong, CIRCUIT], after: 0 })
  expect((await opened(await bridge.next())).addresses).toEqual([CIRCUIT])
})

test.each(['nobody', 'bridge'] as const)('a device for %s signs nothing, even when it is asked', async (choice) => {
  const { connect, announcing, findable } = bench(choice)
  const bridge = await connect()
  expect(await bridge.next()).toEqual({ type: 'visible', visibility: choice })
  await bridge.say({ type: 'wanted', addresses: [CIRCUIT], after: 0 })
  await bridge.say({ type: 'places', places: [] })
  await eventually(() => expect(findable.get().isSupported).toBe(true))
  findable.set({ ...findable.get(), choice: 'network' })
  announcing.chosen()
  expect(await bridge.next()).toEqual({ type: 'visible', visibility: 'network' })
})

test('a bridge that asks without end is heeded no more for a while', async () => {
  const { connect, announcing } = bench('network')
  const bridge = await connect()
  await bridge.next()
  for (let after = 0; after < 60; after++) await bridge.say({ type: 'wanted', addresses: [CIRCUIT], after })
  for (let count = 0; count < 20; count++) expect((await bridge.next())?.type).toBe('record')
  announcing.chosen()
  expect((await bridge.next())?.type).toBe('visible')
})

test('the stream of a newer link takes the place of the one before, and what that one says is old', async () => {
  const { connect, findable } = bench('network')
  const older = await connect()
  const newer = await connect()
  await newer.next()
  await older.say({ type: 'places', places: [{ place: 'mdns', state: 'failed', names: [] }] }).catch(() => undefined)
  const places = [{ place: 'mdns', state: 'announced', names: [] }]
  await newer.say({ type: 'places', places })
  await eventually(() => expect(findable.get().places).toEqual(places))
})

test('a refusal stands in the log, and a bridge that knows no choice is told of', async () => {
  const { connect, announcing, findable, log } = bench('network')
  const bridge = await connect()
  await bridge.say({ type: 'refused', reason: 'full' })
  await eventually(() => expect(log.lines.get().map(({ text }) => text)).toContainEqual(expect.stringContaining('full')))
  const unknown = Object.assign(new Error('no'), { name: 'UnsupportedProtocolError' })
  await announcing.open({ newStream: () => Promise.reject(unknown) } as unknown as Connection)
  expect(findable.get()).toMatchObject({ isSupported: false, places: [] })
  announcing.close()
  announcing.close()
})
