/**
 * The WebRTC transport, where the browser has it, in a chunk of its own, with remedies for two faults of @libp2p/webrtc 6.
 *
 * Its dialler opens a data channel named `init` so that ICE has something to connect, waits until it is open, closes it and waits for the close. Its
 * listener closes `init` as soon as it is connected, which may be before the dialler looks: then the dialler waits for the `open` of a channel that has
 * already closed, over a connection that works, until somebody loses patience. Seen in a few tries of a hundred between two pages.
 *
 * Its listener takes the end of the signalling stream for success. A dialler that leaves its page in the middle of a try leaves a phantom: a connection that
 * says it is open and carries nothing, where messages wait for an answer. `isReal` asks the browser instead.
 *
 * With it comes WebRTC-direct, which dials native peers that listen on it.
 *
 * Not here: when to try (paths/upgrade-policy.ts) and whether what came of it carries anything (paths/paths.ts).
 */
import type * as WebRtc from '@libp2p/webrtc'
import type { SessionAnswer } from '@footbridge/shared/login'

const INIT_LABEL = 'init'
/** What rust-libp2p 0.57 can read: a message above this ends its stream, and @libp2p/webrtc sends twice as much (docs/upstream/rust-webrtc-direct.md). */
const MAX_DIRECT_MESSAGE_BYTES = 8 * 1024
/** The dialler ends the signalling as soon as it is connected itself, and the listener is then a moment behind, not a round of ICE. */
const CONNECTED_WITHIN_MS = 5_000

export interface RtcTransport {
  readonly transports: readonly unknown[]
  readonly listen: readonly string[]
}

/**
 * @param given taken instead of the browser's own, where not undefined.
 * @param iceServers asked before each try.
 */
export async function rtcTransport(
  given: readonly unknown[] | undefined,
  iceServers: () => SessionAnswer['iceServers'],
): Promise<RtcTransport> {
  if (given !== undefined) return { transports: given, listen: [] }
  if (typeof RTCPeerConnection === 'undefined') return { transports: [], listen: [] }
  const { webRTC, webRTCDirect } = await importPatiently()
  const rtcConfiguration = async (): Promise<RTCConfiguration> => ({
    iceServers: iceServers().map(({ urls, username, credential }) => ({
      urls,
      ...(username !== undefined && { username }),
      ...(credential !== undefined && { credential }),
    })),
  })
  // Who listens on it is reached at the address that it tells: there is nothing to ask of ICE servers.
  const direct = webRTCDirect({ rtcConfiguration: { iceServers: [] }, dataChannel: { maxMessageSize: MAX_DIRECT_MESSAGE_BYTES } })
  return { transports: [webRTC({ rtcConfiguration }), direct], listen: ['/webrtc'] }
}

/**
 * Whether an incoming connection is one, for libp2p's gater: false for one of WebRTC whose peer connection ends, or is still not connected after five
 * seconds. Any other connection is.
 */
export async function isReal(connection: object): Promise<boolean> {
  const peer = (connection as { peerConnection?: RTCPeerConnection }).peerConnection
  if (peer === undefined) return true
  const settled = (): boolean => ['connected', 'failed', 'closed'].includes(peer.connectionState)
  if (!settled()) {
    const { promise, resolve } = Promise.withResolvers<void>()
    const onChange = (): void => (settled() ? resolve() : undefined)
    const timer = setTimeout(resolve, CONNECTED_WITHIN_MS)
    peer.addEventListener('connectionstatechange', onChange)
    await promise
    clearTimeout(timer)
    peer.removeEventListener('connectionstatechange', onChange)
  }
  return peer.connectionState === 'connected'
}

/** The module takes the browser's class once, as it is loaded, and offers no other way to give it one. */
async function importPatiently(): Promise<typeof WebRtc> {
  const stock = globalThis.RTCPeerConnection
  globalThis.RTCPeerConnection = rememberingInit(stock)
  try {
    return await import('@libp2p/webrtc')
  } finally {
    globalThis.RTCPeerConnection = stock
  }
}

/** `Stock`, whose `init` channels say that they are open once they have been, and tell of their close whoever asks for it after. */
export function rememberingInit(Stock: typeof RTCPeerConnection): typeof RTCPeerConnection {
  return class extends Stock {
    override createDataChannel(label: string, options?: RTCDataChannelInit): RTCDataChannel {
      const channel = super.createDataChannel(label, options)
      if (label === INIT_LABEL) rememberOpen(channel)
      return channel
    }
  }
}

function rememberOpen(channel: RTCDataChannel): void {
  const prototype = Object.getPrototypeOf(channel) as object
  const state = (): RTCDataChannelState => Reflect.get(prototype, 'readyState', channel) as RTCDataChannelState
  const close = channel.close.bind(channel)
  // A channel that closes has been open, or the connection under it has failed, which is noticed there.
  Object.defineProperty(channel, 'readyState', { get: () => (state() === 'connecting' ? 'connecting' : 'open') })
  channel.close = (): void => {
    if (state() === 'closed') queueMicrotask(() => channel.dispatchEvent(new Event('close')))
    else close()
  }
}
