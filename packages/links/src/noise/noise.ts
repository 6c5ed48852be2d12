/**
 * Noise for a node that forwards: the handshake of @libp2p/noise, untouched, and a record layer of our own (sealed-stream.ts) under the keys that it ends
 * with. On the wire it is `/noise` as everybody speaks it.
 *
 * Why: the stock record layer makes cipher objects, lists and events for every message, which on a relay is most of the work (docs/decisions/0009).
 */
import { randomBytes } from 'node:crypto'
import type { ConnectionEncrypter, MessageStream, SecureConnectionOptions, SecuredConnection } from '@libp2p/interface'
import { noise as stockNoise, type NoiseExtensions } from '@libp2p/noise'
import { byteLinkOf, type ByteLink } from '../byte-link.ts'
import type { Aead } from './aead.ts'
import { createBufferPool } from './buffer-pool.ts'
import { createHandshakeCrypto } from './handshake-crypto.ts'
import { HandshakeStream } from './handshake-stream.ts'
import { SealedStream } from './sealed-stream.ts'
import { generateX25519KeyPair } from './x25519.ts'

type StockComponents = Parameters<ReturnType<typeof stockNoise>>[0]
type Encrypter = ConnectionEncrypter<NoiseExtensions>

/** For libp2p's `connectionEncrypters`. @param aead from `loadAead` */
export function noise({ aead }: { readonly aead: Aead }): (components: StockComponents) => Encrypter {
  return (components) => {
    const pool = createBufferPool()
    const staticKeys = generateX25519KeyPair()
    const staticNoiseKey = randomBytes(32)

    const secure = async (
      direction: 'secureInbound' | 'secureOutbound',
      stream: MessageStream,
      options?: SecureConnectionOptions,
    ): Promise<SecuredConnection<NoiseExtensions>> => {
      const link = byteLinkOf(stream)
      const handshake = new HandshakeStream(stream)
      const crypto = createHandshakeCrypto(aead, staticKeys, () => handshake.finish())
      const receiveBy = attachReceiver(link, handshake)
      const secured = await stockNoise({ crypto, staticNoiseKey })(components)[direction](handshake, options)
      const keys = crypto.transportKeys()
      if (keys === undefined) throw new Error('@libp2p/noise has changed: its handshake split no keys')
      // The library checks the last message's signature meanwhile. Whoever is told of a connection after its end would wait for that end for ever.
      if (stream.status !== 'open') throw new Error('the connection closed during its handshake')
      const [sendKey, receiveKey] = direction === 'secureOutbound' ? keys : [keys[1], keys[0]]
      const connection = new SealedStream({ stream, link, aead, pool, sendKey, receiveKey })
      const rest = handshake.takeRest()
      receiveBy(connection)
      // Not before libp2p had the chance to listen.
      if (rest.length > 0) connection.receive(rest, 0)
      return { ...secured, connection }
    }

    return {
      protocol: '/noise',
      secureInbound: (stream, options) => secure('secureInbound', stream, options),
      secureOutbound: (stream, options) => secure('secureOutbound', stream, options),
    }
  }
}

interface Receiver {
  receive(chunk: Uint8Array, headroom: number): void
}

/**
 * Not in `secure`: the link keeps its reader for as long as the connection lives, and a closure there would keep the whole handshake with it, 11 KB.
 * @returns changes the receiver.
 */
function attachReceiver(link: ByteLink, first: Receiver): (next: Receiver) => void {
  let receiver = first
  link.attach((chunk, headroom) => {
    receiver.receive(chunk, headroom)
  })
  return (next) => {
    receiver = next
  }
}
