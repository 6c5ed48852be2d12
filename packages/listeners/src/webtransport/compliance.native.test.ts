/**
 * js-libp2p's own compliance suite for transports, against the listener: its server side is ours, its dialler the native client. All of it applies but
 * listening on several addresses at once, which one bridge does not need: the second address that the suite dials is the same place with one hash.
 */
import { noise } from '@libp2p/noise'
import tests from '@libp2p/interface-compliance-tests/transport'
import { WebTransport } from '@multiformats/multiaddr-matcher'
import { createSocket } from 'node:dgram'
import { afterEach, describe, it } from 'vitest'
import { nativeBinding, testDialer } from './test-dialer.ts'
import { createWebTransportListener } from './webtransport-listener.ts'

/** The suite is written for mocha. */
interface MochaContext {
  timeout(ms: number): void
  skip(): never
}
const context: MochaContext = {
  timeout: () => {},
  skip: () => {
    throw new Error('a test of the suite does not run: it shows nothing')
  },
}
Object.assign(globalThis, {
  describe,
  afterEach,
  it: (title: string, run: (this: MochaContext) => Promise<void>) => it(title, () => run.call(context), 120_000),
})

tests({
  async setup() {
    const port = await freePort()
    const listener = createWebTransportListener({ binding: nativeBinding(), secret: new Uint8Array(32).fill(8) })
    const base = `/ip4/127.0.0.1/udp/${port}`
    return {
      dialMultiaddrMatcher: WebTransport,
      listenMultiaddrMatcher: WebTransport,
      dialer: { transports: [testDialer()], connectionEncrypters: [noise()], connectionMonitor: { enabled: false } },
      listener: {
        addresses: {
          listen: [`${base}/quic-v1/webtransport`],
          appendAnnounce: [`${base}${listener.addressSuffix().replace(/\/certhash\/[\w-]+$/, '')}`],
        },
        transports: [listener.transport],
        connectionMonitor: { enabled: false },
      },
    }
  },
  // The suite stops its nodes itself.
  teardown: () => Promise.resolve(),
})

async function freePort(): Promise<number> {
  const socket = createSocket('udp4')
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  const { port } = socket.address()
  await new Promise<void>((resolve) => socket.close(resolve))
  return port
}
