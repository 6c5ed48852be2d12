/**
 * What is refused before there is a session. The native side loses the status on its way (binding.ts), so only here it can be seen. Rules: SPEC.md.
 */
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { ConnectionGater } from '@libp2p/interface'
import { defaultLogger } from '@libp2p/logger'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { describe, expect, it } from 'vitest'
import { acceptRequest } from './handshake.ts'

const URL_OF_LIBP2P = 'https://127.0.0.1/.well-known/libp2p-webtransport?type=noise'

/** The status that a request is refused with. */
async function refusalOf(url: string, connectionGater: ConnectionGater = {}): Promise<number | undefined> {
  let status: number | undefined
  const privateKey = await generateKeyPair('Ed25519')
  const accepted = await acceptRequest({
    client: { address: '::ffff:192.0.2.7', port: 4711 },
    request: {
      url: Promise.resolve(url),
      ok: () => Promise.reject(new Error('granted')),
      reject: async (code) => void (status = code),
    },
    components: { privateKey, peerId: peerIdFromPrivateKey(privateKey), logger: defaultLogger(), connectionGater },
    upgrader: undefined as never,
    certificateHashes: [],
    maxEarlyStreams: 8,
    signal: AbortSignal.timeout(1_000),
  })
  expect(accepted).toBeUndefined()
  return status
}

describe('a request for a session', () => {
  it('R1 is refused with 400 when it is none for libp2p', async () => {
    expect(await refusalOf('https://127.0.0.1/')).toBe(400)
    expect(await refusalOf(`${URL_OF_LIBP2P}&more`)).toBe(400)
  })

  it('R2 is refused with 403 when the gater denies it', async () => {
    expect(await refusalOf(URL_OF_LIBP2P, { denyInboundConnection: async () => true })).toBe(403)
  })

  it('R2 is granted otherwise', async () => {
    await expect(refusalOf(URL_OF_LIBP2P, { denyInboundConnection: () => false })).rejects.toThrow('granted')
  })
})
