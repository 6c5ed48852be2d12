/**
 * The certificate of WebRTC-direct and its key, kept in `<data-dir>/webrtc-direct.pem` and `webrtc-direct.key`, readable by their owner alone. Its hash stands in the bridge's
 * addresses: a new one at each start would make every address that others remember lead nowhere.
 *
 * libp2p makes and renews them, and asks for a datastore and a keychain to keep them; these two keep nothing else. QUIC needs none: its certificate is made anew for the
 * identity key, and no hash of it stands in an address.
 */
import { X509Certificate } from 'node:crypto'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import { NotFoundError, type PrivateKey } from '@libp2p/interface'
import type { WebRTCDirectTransportComponents } from '@libp2p/webrtc'
import { replacing } from '@footbridge/protocols/service/replacing'

/** As late as a timer of Node can be set for, less the day before its end at which libp2p renews it. */
export const CERTIFICATE_LIFE_MS = 24 * 24 * 60 * 60_000

/** What is used of libp2p's. */
export interface CertificateStore {
  readonly datastore: {
    get(key: unknown): Promise<Uint8Array>
    put(key: unknown, certificate: Uint8Array): Promise<void>
  }
  readonly keychain: {
    exportKey(name: string): Promise<PrivateKey>
    importKey(name: string, key: PrivateKey): Promise<void>
  }
}

export function createCertificateStore(dataDir: string): CertificateStore {
  const certificate = join(dataDir, 'webrtc-direct.pem')
  const key = join(dataDir, 'webrtc-direct.key')
  return {
    datastore: {
      get: () => read(certificate, (bytes) => new X509Certificate(bytes).raw),
      put: (_key, bytes) => write(certificate, bytes),
    },
    keychain: {
      exportKey: () =>
        read(key, (bytes) => {
          const kept = privateKeyFromProtobuf(bytes)
          if (kept.type !== 'ECDSA') throw new Error(`a key of the kind ${kept.type} makes no certificate for WebRTC`)
          return kept
        }),
      importKey: (_name, made) => write(key, privateKeyToProtobuf(made)),
    },
  }
}

/** A transport that keeps its certificate there. */
export function keepingCertificate<Made>(
  create: (components: WebRTCDirectTransportComponents) => Made,
  { datastore, keychain }: CertificateStore,
): (components: WebRTCDirectTransportComponents) => Made {
  return (components) => create(replacing(components, { datastore: () => datastore, keychain: () => keychain }))
}

/** @throws NotFoundError, at which libp2p makes another; for a damaged file too: another one costs the addresses that others remember, and no more. */
async function read<Value>(path: string, parse: (bytes: Uint8Array) => Value): Promise<Value> {
  let bytes: Uint8Array
  try {
    bytes = await readFile(path)
  } catch (error) {
    throw error instanceof Error && 'code' in error && error.code === 'ENOENT' ? new NotFoundError(`there is no ${path}`) : error
  }
  try {
    return parse(bytes)
  } catch (error) {
    throw new NotFoundError(`${path} cannot be understood: ${String(error)}`)
  }
}

/** Whole or not at all. The data folder's lock keeps a second bridge away. */
async function write(path: string, bytes: Uint8Array): Promise<void> {
  await writeFile(`${path}.new`, bytes, { mode: 0o600 })
  await rename(`${path}.new`, path)
}
