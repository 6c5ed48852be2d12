/** Reads what a program gives for a peer or an address, once, at the edge: behind it they are whole. */
import { FootbridgeError } from '@footbridge/shared/errors'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'

const MAX_ADDRESS_LENGTH = 2_048

export interface PeerAddress {
  readonly address: Multiaddr
  /** The peer at its end. */
  readonly peer: string
}

/** @throws FootbridgeError `bad_request`, naming the text and the reason */
export function parseAddress(text: string): Multiaddr {
  if (text.length > MAX_ADDRESS_LENGTH) throw new FootbridgeError('bad_request', `an address has at most ${MAX_ADDRESS_LENGTH} characters`)
  try {
    return multiaddr(text)
  } catch (cause) {
    throw new FootbridgeError('bad_request', `${text} is not a multiaddr`, { cause })
  }
}

/** @throws FootbridgeError `bad_request`, naming the text and the reason */
export function parsePeerAddress(text: string): PeerAddress {
  const address = parseAddress(text)
  const last = address.getComponents().at(-1)
  if (last?.name !== 'p2p' || last.value === undefined) throw new FootbridgeError('bad_request', `${text} does not end in /p2p/<peer>`)
  return { address, peer: parsePeer(last.value) }
}

/** @throws FootbridgeError `bad_request`, naming the text */
export function parsePeer(text: string): string {
  try {
    return peerIdFromString(text).toString()
  } catch (cause) {
    throw new FootbridgeError('bad_request', `${text.slice(0, 128)} is not a PeerID`, { cause })
  }
}
