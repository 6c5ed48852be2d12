/**
 * The WebRTC transport, where the browser has it, in a chunk of its own, with a remedy for a hang of @libp2p/webrtc 6.
 *
 * Its dialler opens a data channel named `init` so that ICE has something to connect, waits until it is open, closes it and waits for the close. Its
 * listener closes `init` as soon as it is connected, which may be before the dialler looks: then the dialler waits for the `open` of a channel that has
 * already closed, over a connection that works, until somebody loses patience. Seen in a few tries of a hundred between two pages.
 *
 * Not here: when to try (paths/upgrade-policy.ts) and whether what came of it carries anything (paths/paths.ts).
 */
import type * as WebRtc from '@libp2p/webrtc'
import type { SessionAnswer } from '@footbridge/shared/login'

const INIT_LABEL = 'init'

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
  const { webRTC } = await importPatiently()
  const rtcConfiguration = async (): Promise<RTCConfiguration> => ({
    iceServers: iceServers().map(({ urls, username, credential }) => ({
      urls,
      ...(username !== undefined && { username }),
      ...(credential !== undefined && { credential }),
    })),
  })
  return { transports: [webRTC({ rtcConfiguration })], listen: ['/webrtc'] }
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
