/** For tests: noise as libp2p makes it, ours and the stock one, and the AEADs that this machine has. */
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { ConnectionEncrypter, MessageStream, StreamMuxerFactory } from '@libp2p/interface'
import { defaultLogger } from '@libp2p/logger'
import { noise as stockNoise } from '@libp2p/noise'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { yamux as stockYamux } from '@libp2p/yamux'
import { Uint8ArrayList } from 'uint8arraylist'
import { loadAead, openSslAead, type Aead } from './aead.ts'
import { noise } from './noise.ts'

export type Components = Parameters<ReturnType<typeof stockNoise>>[0]

export async function createComponents(): Promise<Components> {
  const privateKey = await generateKeyPair('Ed25519')
  const muxers = new Map<string, StreamMuxerFactory>([['/yamux/1.0.0', stockYamux()()]])
  return {
    privateKey,
    peerId: peerIdFromPrivateKey(privateKey),
    logger: defaultLogger(),
    upgrader: { getStreamMuxers: () => muxers, getConnectionEncrypters: () => new Map() } as unknown as Components['upgrader'],
  }
}

/** Both, by name. A machine where libsodium does not load has one, and says so in the test of aead.ts. */
export const aeads: readonly Aead[] = [...new Set([await loadAead(), openSslAead])]

export const stock = (components: Components): ConnectionEncrypter => stockNoise()(components)
export const ours =
  (aead: Aead) =>
  (components: Components): ConnectionEncrypter =>
    noise({ aead })(components)

/** Collects what arrives as messages. */
export function collect(stream: MessageStream): Uint8ArrayList {
  const received = new Uint8ArrayList()
  stream.addEventListener('message', ({ data }) => {
    received.append(data)
  })
  return received
}
