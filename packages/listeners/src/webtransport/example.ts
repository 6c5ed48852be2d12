/**
 * A whole program with the listener: a node that a browser can dial without a certificate from an authority. The README shows it, and a test runs it.
 */
import { identify } from '@libp2p/identify'
import type { Ed25519PrivateKey, Libp2p } from '@libp2p/interface'
import { ping } from '@libp2p/ping'
import { createLibp2p } from 'libp2p'
import { loadBinding } from './binding.ts'
import { createWebTransportListener } from './webtransport-listener.ts'

/** @param privateKey kept over restarts: the certificates are made from it, so addresses that people hold go on working. */
export async function startExample(privateKey: Ed25519PrivateKey, listen = '/ip4/0.0.0.0/udp/0/quic-v1/webtransport'): Promise<Libp2p> {
  const loaded = loadBinding()
  if (!('binding' in loaded)) throw new Error(`no WebTransport: ${loaded.reason}`)
  const webTransport = createWebTransportListener({ binding: loaded.binding, secret: privateKey.raw })
  return createLibp2p({
    privateKey,
    addresses: { listen: [listen] },
    transports: [webTransport.transport],
    services: { identify: identify(), ping: ping() },
  })
}
