/**
 * The stock WebSocket transport, closing what it opened. Two faults of @libp2p/websockets 10 matter to a device that dials for a long time:
 * - a dial that is called off leaves its WebSocket connecting; a browser connects one at a time to an address, so it holds up every later dial;
 * - an abort closes with code 1006, which is illegal, throws and leaves the socket open (pitfall A5.1).
 * Not here: when to dial (supervisor/seek.ts).
 */
import type { Transport } from '@libp2p/interface'
import { webSockets } from '@libp2p/websockets'
import type { Multiaddr } from '@multiformats/multiaddr'
import { multiaddrToUri } from '@multiformats/multiaddr-to-uri'

/** RFC 6455 7.4.2: for private use. Tells a bridge's log that the browser cut the link. */
const ABORTED_CODE = 4900

interface ConnectOptions {
  readonly signal?: AbortSignal
}

type WebSocketsFactory = ReturnType<typeof webSockets>

export function closingWebSockets(): WebSocketsFactory {
  const create = webSockets()
  return (components) => {
    const transport = create(components)
    // Public in the sources but not in the type; web-sockets.test.ts fails when a new version renames it.
    if (!Reflect.has(transport, '_connect')) throw new TypeError('@libp2p/websockets has changed: it has no _connect')
    Reflect.set(transport, '_connect', (address: Multiaddr, options: ConnectOptions = {}) => open(multiaddrToUri(address), options.signal))
    return transport as Transport as ReturnType<WebSocketsFactory>
  }
}

async function open(uri: string, signal: AbortSignal | undefined): Promise<WebSocket> {
  signal?.throwIfAborted()
  const socket = new WebSocket(uri)
  socket.binaryType = 'arraybuffer'
  const close = socket.close.bind(socket)
  socket.close = (code?: number, reason?: string): void => close(code === 1006 ? ABORTED_CODE : code, reason)
  const { promise, resolve, reject } = Promise.withResolvers<WebSocket>()
  const onAbort = (): void => {
    reject(signal?.reason)
    socket.close()
  }
  socket.addEventListener('open', () => resolve(socket), { once: true })
  socket.addEventListener('error', () => reject(new Error(`could not connect to ${uri}`)), { once: true })
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    return await promise
  } finally {
    signal?.removeEventListener('abort', onAbort)
  }
}
