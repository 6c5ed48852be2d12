import { queryObjects } from 'node:v8'
import type { ConnectionEncrypter, SecuredConnection } from '@libp2p/interface'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { beforeAll, describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { createWires, cutter, eventually, pattern, sameBytes, type Wire, type WireOptions } from '../test-wire.ts'
import { openSslAead } from './aead.ts'
import { HandshakeStream } from './handshake-stream.ts'
import { SealedStream } from './sealed-stream.ts'
import { aeads, collect, createComponents, ours, stock, type Components } from './test-noise.ts'

let alice: Components
let bob: Components
beforeAll(async () => {
  ;[alice, bob] = [await createComponents(), await createComponents()]
})

type Maker = (components: Components) => ConnectionEncrypter

/** Alice dials Bob. */
async function handshake(dialler: Maker, listener: Maker, options: WireOptions = {}, expected = bob.peerId) {
  const [near, far] = createWires(options)
  const signal = AbortSignal.timeout(5_000)
  const [out, incoming] = await Promise.all([
    dialler(alice).secureOutbound(near, { remotePeer: expected, signal }),
    listener(bob).secureInbound(far, { signal }),
  ])
  return { near, far, out, incoming }
}

async function flows(from: SecuredConnection['connection'], to: SecuredConnection['connection']): Promise<void> {
  const received = collect(to)
  const sent = [1, 200, 4_095, 4_096, 65_518, 65_519, 65_520, 131_038, 300_000].map((length) => pattern(length, length))
  for (const bytes of sent) from.send(bytes)
  const whole = Buffer.concat(sent)
  await eventually(() => {
    expect(received.byteLength).toBe(whole.length)
  })
  expect(sameBytes(received.subarray(), whole)).toBe(true)
}

for (const aead of aeads) {
  describe(`noise with ${aead.name}`, () => {
    it.each([
      ['dials stock @libp2p/noise', ours(aead), stock],
      ['is dialled by stock @libp2p/noise', stock, ours(aead)],
      ['dials itself', ours(aead), ours(aead)],
    ])('%s, knows the peer and its muxer, and passes small and big writes both ways', async (_, dialler, listener) => {
      const { out, incoming } = await handshake(dialler, listener)
      expect(out.remotePeer.equals(bob.peerId)).toBe(true)
      expect(incoming.remotePeer.equals(alice.peerId)).toBe(true)
      expect([out.streamMuxer?.protocol, incoming.streamMuxer?.protocol]).toEqual(['/yamux/1.0.0', '/yamux/1.0.0'])
      await flows(out.connection, incoming.connection)
      await flows(incoming.connection, out.connection)
    })

    it('keeps nothing of the handshake while the connection lives', { timeout: 60_000 }, async () => {
      // Counted after a collection of garbage.
      const handshakes = (): number => queryObjects(HandshakeStream, { format: 'count' })
      const { out, incoming } = await handshake(ours(aead), ours(aead))
      await eventually(() => {
        expect(handshakes()).toBe(0)
      })
      await flows(out.connection, incoming.connection)
    })

    it('gives the same plaintext however the bytes are cut, from the first byte of the handshake on', async () => {
      const lengths = fc.array(fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 70_000 })), {
        minLength: 1,
        maxLength: 5,
      })
      await fc.assert(
        fc.asyncProperty(lengths, fc.boolean(), async (cuts, dials) => {
          const cut = cutter(cuts)
          const { out, incoming } = await handshake(dials ? ours(aead) : stock, dials ? stock : ours(aead), { cut })
          const [from, to] = dials ? [incoming.connection, out.connection] : [out.connection, incoming.connection]
          const received = collect(to)
          const sent = [pattern(5), pattern(70_000, 2), pattern(17, 3)]
          for (const bytes of sent) from.send(bytes)
          await eventually(() => {
            expect(received.byteLength).toBe(70_022)
          })
          expect(sameBytes(received.subarray(), Buffer.concat(sent))).toBe(true)
        }),
        { numRuns: 25 },
      )
    })

    it('keeps what arrives in one chunk with the last message of the handshake, until somebody listens', async () => {
      const [near, far] = createWires()
      const incoming = ours(aead)(bob).secureInbound(far)
      const out = await stock(alice).secureOutbound(near, { remotePeer: bob.peerId })
      // The third message is on its way still: these travel with it.
      expect(near.bytesOnWay).toBeGreaterThan(0)
      for (const text of ['early', ' and ', 'in order']) out.connection.send(new TextEncoder().encode(text))
      const { connection } = await incoming
      const received = collect(connection)
      await eventually(() => {
        expect(new TextDecoder().decode(received.subarray())).toBe('early and in order')
      })
    })

    it('refuses a peer that is not the one that was dialled', async () => {
      const charlie = peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
      await expect(handshake(ours(aead), stock, {}, charlie)).rejects.toThrow('does not match')
    })

    it('fails the handshake when a byte of it is changed', async () => {
      await fc.assert(
        fc.asyncProperty(fc.nat(200), fc.integer({ min: 1, max: 255 }), async (at, change) => {
          let seen = 0
          const cut = (bytes: Uint8Array): Uint8Array[] => {
            // The bytes of both directions, counted together: 34 of the first message come before those of the second.
            const index = at + 34 - seen
            seen += bytes.length
            if (index >= 0 && index < bytes.length) bytes[index] = (bytes[index] ?? 0) ^ change
            return [bytes]
          }
          const [near, far] = createWires({ cut })
          const signal = AbortSignal.timeout(100)
          const outcomes = await Promise.allSettled([
            ours(aead)(alice).secureOutbound(near, { remotePeer: bob.peerId, signal }),
            stock(bob).secureInbound(far, { signal }),
          ])
          expect(outcomes.map(({ status }) => status)).toContain('rejected')
        }),
        { numRuns: 8 },
      )
    })
  })
}

const [aead = openSslAead] = aeads

describe('during the handshake', () => {
  it('goes on over a connection that takes one message at a time', async () => {
    const { out, incoming } = await handshake(ours(aead), ours(aead), { capacity: 1 })
    await flows(out.connection, incoming.connection)
  })

  it('fails when the connection closes', async () => {
    const [near, far] = createWires()
    const out = ours(aead)(alice).secureOutbound(near, { signal: AbortSignal.timeout(5_000) })
    far.abort(new Error('gone'))
    await expect(out).rejects.toThrow()
  })

  it('fails when the remote goes while its last message is being checked, and leaves no connection that looks open', async () => {
    const [near, far] = createWires()
    const incoming = ours(aead)(bob).secureInbound(far)
    await stock(alice).secureOutbound(near, { remotePeer: bob.peerId })
    far.addEventListener('message', () => {
      far.onTransportClosed()
    })
    await expect(incoming).rejects.toThrow('closed')
  })
})

describe('after the handshake', () => {
  const secured = (options?: WireOptions): ReturnType<typeof handshake> => handshake(ours(aead), ours(aead), options)
  const ends = (wire: Wire): Promise<Event> => new Promise((resolve) => wire.addEventListener('close', resolve, { once: true }))

  it('closes the connection below when it is closed, and tells both ends', async () => {
    const { far, out, incoming } = await secured()
    const closed = ends(far)
    await out.connection.close()
    await closed
    expect([out.connection.status, incoming.connection.status]).toEqual(['closed', 'closed'])
  })

  it('aborts the connection below when it is aborted; the remote sees a reset', async () => {
    const { near, out, incoming } = await secured()
    const closed = new Promise<unknown>((resolve) => incoming.connection.addEventListener('close', resolve))
    out.connection.abort(new Error('enough'))
    expect(near.status).toBe('aborted')
    await closed
    expect(incoming.connection.status).toBe('reset')
  })

  it('is aborted with the connection below', async () => {
    const { near, out } = await secured()
    near.abort(new Error('kicked'))
    expect(out.connection.status).toBe('aborted')
  })

  it('says false when the connection below is full, and drains when that does', async () => {
    const { far, out, incoming } = await secured({ capacity: 100_000 })
    const received = collect(incoming.connection)
    far.pause()
    expect(out.connection.send(pattern(50_000))).toBe(true)
    expect(out.connection.send(pattern(60_000))).toBe(false)
    let drained = false
    out.connection.addEventListener('drain', () => (drained = true))
    expect(received.byteLength).toBe(0)
    far.resume()
    await eventually(() => {
      expect(drained).toBe(true)
      expect(received.byteLength).toBe(110_000)
    })
    expect(out.connection.send(pattern(10))).toBe(true)
  })

  it('passes a pause on to the connection below', async () => {
    const { far, incoming } = await secured()
    incoming.connection.pause()
    expect(far.readStatus).toBe('paused')
    incoming.connection.resume()
    expect(far.readStatus).toBe('readable')
  })

  it('writes records as short as can be: one for many small pieces, none that is almost empty', async () => {
    const { near, out } = await secured()
    if (!(out.connection instanceof SealedStream)) throw new Error('not ours')
    const before = near.bytesSent
    out.connection.write([pattern(10), pattern(20), pattern(30)])
    expect(near.bytesSent - before).toBe(2 + 60 + 16)
    out.connection.write([pattern(12), pattern(65_507)])
    expect(near.bytesSent - before).toBe(2 + 60 + 16 + 2 + 65_519 + 16)
  })
})
