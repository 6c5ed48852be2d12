import { defaultLogger } from '@libp2p/logger'
import type { Connection, Stream } from '@libp2p/interface'
import { AbstractMultiaddrConnection } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { SessionMuxer } from './session-muxer.ts'
import type { SessionStream } from './session-stream.ts'
import { createWatchedMuxers, type WatchedMuxers } from './signs.ts'
import { sessionPair, type FakeSession } from './test-session.ts'

const log = defaultLogger().forComponent('test')
const CHUNK_BYTES = 64 * 1024

/** As the stock transport's: it carries nothing itself, and closing it closes the session. */
class FakeConnection extends AbstractMultiaddrConnection {
  readonly session: FakeSession

  constructor(session: FakeSession) {
    super({ remoteAddr: multiaddr('/ip4/127.0.0.1/udp/1/quic-v1/webtransport'), direction: 'outbound', log })
    this.session = session
  }
  override sendData(): never {
    throw new Error('nothing goes here')
  }
  override sendReset(): void {
    this.session.close()
  }
  override async sendClose(): Promise<void> {
    this.session.close()
  }
  override sendPause(): void {}
  override sendResume(): void {}
}

interface End {
  readonly connection: FakeConnection
  readonly muxer: SessionMuxer
  readonly incoming: SessionStream[]
}

let now = 0
let watched: WatchedMuxers
let alice: End
let bridge: End

function end(session: FakeSession): End {
  const connection = new FakeConnection(session)
  const muxer = new SessionMuxer(connection, session, watched)
  const incoming: SessionStream[] = []
  muxer.addEventListener('stream', ({ detail }) => void incoming.push(detail))
  return { connection, muxer, incoming }
}

beforeEach(() => {
  now = 0
  watched = createWatchedMuxers(() => now)
  const [near, far] = sessionPair()
  alice = end(near)
  bridge = end(far)
})

async function stream(): Promise<[SessionStream, SessionStream]> {
  const near = await alice.muxer.createStream()
  const far = await vi.waitFor(() => {
    const last = bridge.incoming.at(-1)
    if (last === undefined) throw new Error('no stream came')
    return last
  })
  return [near, far]
}

function count(from: Stream): { bytes: number } {
  const seen = { bytes: 0 }
  from.addEventListener('message', ({ data }) => void (seen.bytes += data.byteLength))
  return seen
}

describe('a stream of a session', () => {
  test('carries bytes both ways', async () => {
    const [near, far] = await stream()
    const [up, down] = [count(far), count(near)]
    near.send(new Uint8Array(1_000))
    far.send(new Uint8Array(2_000))
    await vi.waitFor(() => expect([up.bytes, down.bytes]).toEqual([1_000, 2_000]))
  })

  test('can be paused and resumed as often as one likes, and loses nothing', async () => {
    const [near, far] = await stream()
    const seen = count(far)
    for (let round = 1; round <= 5; round++) {
      far.pause()
      near.send(new Uint8Array(CHUNK_BYTES))
      far.resume()
      await vi.waitFor(() => expect(seen.bytes).toBe(round * CHUNK_BYTES))
    }
  })

  test('holds its sender up while nobody reads, and lets it go on after', async () => {
    const [near, far] = await stream()
    far.pause()
    let sent = 0
    while (sent < 100 * CHUNK_BYTES && near.send(new Uint8Array(CHUNK_BYTES))) sent += CHUNK_BYTES
    expect(sent).toBeLessThan(10 * CHUNK_BYTES)
    const drained = new Promise((resolve) => near.addEventListener('drain', resolve, { once: true }))
    const seen = count(far)
    expect(seen.bytes).toBe(0)
    far.resume()
    await drained
    await vi.waitFor(() => expect(seen.bytes).toBe(sent + CHUNK_BYTES))
  })

  test('is half-closed by one side and goes on the other way', async () => {
    const [near, far] = await stream()
    const down = count(near)
    count(far)
    await near.close()
    await vi.waitFor(() => expect(far.remoteWriteStatus).toBe('closed'))
    far.send(new Uint8Array(10))
    await far.close()
    await vi.waitFor(() => expect([near.status, far.status, down.bytes]).toEqual(['closed', 'closed', 10]))
    expect([alice.muxer.streams, bridge.muxer.streams]).toEqual([[], []])
  })

  test('that one side aborts is over on the other', async () => {
    const [near, far] = await stream()
    near.abort(new Error('enough'))
    await vi.waitFor(() => expect(far.status).not.toBe('open'))
  })
})

describe('a session', () => {
  test('that the bridge closes is a closed connection at once, and its streams end', async () => {
    const [near] = await stream()
    const closed = new Promise((resolve) => alice.connection.addEventListener('close', resolve))
    bridge.connection.session.close()
    await closed
    expect([alice.connection.status === 'open', near.status === 'open']).toEqual([false, false])
    await expect(alice.muxer.createStream()).rejects.toThrow()
  })

  test('is closed with its connection', async () => {
    alice.connection.abort(new Error('the link was left'))
    expect(alice.connection.session.isClosed).toBe(true)
    await vi.waitFor(() => expect(bridge.connection.status).not.toBe('open'))
  })

  test('tells when bytes came, of any stream', async () => {
    const link = { muxer: alice.muxer } as unknown as Connection
    const [near, far] = await stream()
    count(near)
    const before = watched.signs.heard(link)?.times ?? -1
    now = 500
    far.send(new Uint8Array(1))
    await vi.waitFor(() => expect(watched.signs.heard(link)).toMatchObject({ at: 500 }))
    expect(watched.signs.heard(link)?.times).toBeGreaterThan(before)
  })

  test('is asked over one ping stream, however often', async () => {
    bridge.muxer.addEventListener('stream', ({ detail }) => {
      detail.addEventListener('message', ({ data }) => void detail.send(data))
    })
    const link = { muxer: alice.muxer, newStream: () => alice.muxer.createStream() } as unknown as Connection
    for (let round = 0; round < 3; round++) await watched.signs.ask(link)
    await Promise.all([watched.signs.ask(link), watched.signs.ask(link)])
    expect(bridge.incoming).toHaveLength(1)
    bridge.incoming[0]?.abort(new Error('the bridge is tired of it'))
    await vi.waitFor(() => expect(alice.muxer.streams).toEqual([]))
    await watched.signs.ask(link)
    expect(bridge.incoming).toHaveLength(2)
  })

  test('that is silent leaves a question open and answers none with another', async () => {
    const link = { muxer: alice.muxer, newStream: () => alice.muxer.createStream() } as unknown as Connection
    const answered: number[] = []
    void watched.signs.ask(link)?.then((ms) => answered.push(ms))
    const far = await vi.waitFor(() => bridge.incoming[0] ?? Promise.reject(new Error('no stream')))
    count(far)
    expect(answered).toEqual([])
    far.send(new Uint8Array(31))
    far.send(new Uint8Array(1))
    await vi.waitFor(() => expect(answered).toHaveLength(1))
  })
})
