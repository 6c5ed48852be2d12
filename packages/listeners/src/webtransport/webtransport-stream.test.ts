/**
 * The stream over a fake of the native one. Rules: SPEC.md.
 */
import { defaultLogger } from '@libp2p/logger'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { NativeStream } from './binding.ts'
import { fakeStreamPair } from './test-native-stream.ts'
import { WebTransportStream } from './webtransport-stream.ts'

const log = defaultLogger().forComponent('test')
const eventually = <Value>(check: () => Value | Promise<Value>): Promise<Value> => vi.waitFor(check, { timeout: 2_000, interval: 1 })

function wrap(stream: NativeStream, onStuck?: (error: Error) => void): WebTransportStream {
  return new WebTransportStream({ stream, id: '0', direction: 'inbound', log, ...(onStuck && { onStuck }) })
}

function pair(windowBytes?: number): { alice: WebTransportStream; bob: WebTransportStream } {
  const [one, other] = fakeStreamPair(windowBytes)
  return { alice: wrap(one), bob: wrap(other) }
}

function collect(stream: WebTransportStream): { readonly bytes: number } {
  const received = { bytes: 0 }
  stream.addEventListener('message', ({ data }) => (received.bytes += data.byteLength))
  return received
}

describe('a WebTransport stream', () => {
  it('S1 carries bytes both ways in order', async () => {
    const { alice, bob } = pair()
    const parts: number[] = []
    bob.addEventListener('message', ({ data }) => parts.push(...data.subarray()))
    for (let index = 0; index < 200; index++) alice.send(Uint8Array.of(index))
    await eventually(() => expect(parts).toEqual(Array.from({ length: 200 }, (_, index) => index)))
  })

  it('S2 stays open the other way when one side has finished, and closes with the second', async () => {
    const { alice, bob } = pair()
    const received = collect(alice)
    alice.send(new Uint8Array(10))
    await alice.close()
    await eventually(() => expect(bob.remoteWriteStatus).toBe('closed'))
    expect(bob.status).toBe('open')
    bob.send(new Uint8Array(7))
    collect(bob)
    await bob.close()
    await eventually(() => expect([alice.status, bob.status, received.bytes]).toEqual(['closed', 'closed', 7]))
  })

  it('S2 finishes only after everything was written', async () => {
    const { alice, bob } = pair(1_000)
    alice.send(new Uint8Array(300_000))
    const closing = alice.close()
    const received = collect(bob)
    await closing
    await eventually(() => expect(received.bytes).toBe(300_000))
  })

  it('S3 tells a sender that nobody reads any more, when the sender goes on', async () => {
    const { alice, bob } = pair()
    await bob.closeRead()
    // Bob's read waits, and a stop would wait behind it: the next bytes bring it about.
    alice.send(new Uint8Array(10))
    await eventually(() => expect(bob.remoteWriteStatus).toBe('closed'))
    alice.send(new Uint8Array(10))
    await eventually(() => expect(alice.remoteReadStatus).toBe('closed'))
    expect(alice.status).toBe('open')
  })

  it('S3 lets a sender go on who waited for room when the reader left', async () => {
    const { alice, bob } = pair(1_000)
    bob.pause()
    let drained = 0
    alice.addEventListener('drain', () => drained++)
    while (alice.send(new Uint8Array(64 * 1024)));
    await bob.closeRead()
    await eventually(() => expect([drained > 0, alice.remoteReadStatus]).toEqual([true, 'closed']))
  })

  it('S4 ends both sides when one aborts, although both wait for something to read', async () => {
    const { alice, bob } = pair()
    alice.abort(new Error('enough'))
    await eventually(() => expect([alice.status, bob.status]).toEqual(['aborted', 'reset']))
  })

  it('S5 reads no more than what is already on its way while it is paused, and loses nothing', async () => {
    const [one, other] = fakeStreamPair(100_000)
    const [alice, bob] = [wrap(one), wrap(other)]
    const received = collect(bob)
    bob.pause()
    const write = async (): Promise<void> => {
      for (let sent = 0; sent < 20; sent++)
        if (!alice.send(new Uint8Array(64 * 1024))) await new Promise((resolve) => alice.addEventListener('drain', resolve, { once: true }))
    }
    const writing = write()
    await eventually(() => expect(alice.writableNeedsDrain).toBe(true))
    expect(received.bytes).toBe(0)
    expect(bob.readBufferLength).toBeLessThanOrEqual(64 * 1024)
    bob.resume()
    await writing
    await eventually(() => expect(received.bytes).toBe(20 * 64 * 1024))
  })

  it('S5 stops reading when nobody listens yet, and goes on with the first listener', async () => {
    const { alice, bob } = pair(100_000)
    const total = 2_000_000
    alice.send(new Uint8Array(total))
    await eventually(() => expect(bob.readBufferLength).toBeGreaterThanOrEqual(256 * 1024))
    expect(bob.readBufferLength).toBeLessThan(400 * 1024)
    const received = collect(bob)
    await eventually(() => expect(received.bytes).toBe(total))
  })

  it('S6 makes the writer wait while the remote does not read, and says when it may go on', async () => {
    const { alice, bob } = pair(100_000)
    bob.pause()
    let sent = 0
    while (alice.send(new Uint8Array(64 * 1024)) && sent < 1_000) sent++
    expect(sent).toBeLessThan(10)
    const drained = new Promise<void>((resolve) => alice.addEventListener('drain', () => resolve(), { once: true }))
    collect(bob)
    bob.resume()
    await drained
  })

  describe('S7 with a remote that neither reads nor goes away', () => {
    beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }))
    afterEach(() => vi.useRealTimers())

    it('S7 gives up the connection when the reset could not be sent for ten seconds', async () => {
      const [one] = fakeStreamPair(1_000)
      const stuck: Error[] = []
      const alice = wrap(one, (error) => stuck.push(error))
      alice.send(new Uint8Array(200_000))
      // Until a write waits for room.
      await vi.advanceTimersByTimeAsync(1)
      alice.abort(new Error('enough'))
      await vi.advanceTimersByTimeAsync(9_999)
      expect(stuck).toEqual([])
      await vi.advanceTimersByTimeAsync(1)
      expect(stuck).toHaveLength(1)
    })

    it('S7 gives nothing up when the reset leaves', async () => {
      const [one] = fakeStreamPair()
      const stuck: Error[] = []
      wrap(one, (error) => stuck.push(error)).abort(new Error('enough'))
      await vi.advanceTimersByTimeAsync(20_000)
      expect(stuck).toEqual([])
    })
  })
})
