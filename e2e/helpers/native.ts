/** Starts the native peers of this folder: processes that know an address and nothing of Footbridge's code. */
import { Child } from './child.ts'

/** A peer that dials `circuitAddress`, pings, and talks (native-peer.mjs). */
export function startNativePeer(circuitAddress: string): Child {
  return new Child(['node', 'e2e/helpers/native-peer.mjs', circuitAddress])
}

/** A peer that offers a file and answers with corrupt blocks (rogue-peer.mjs). */
export function startRoguePeer(circuitAddress: string, offer: { cid: string; name: string; size: number; media: string }): Child {
  return new Child(['node', 'e2e/helpers/rogue-peer.mjs', circuitAddress, JSON.stringify(offer)])
}

/** The status with which a relay answers somebody without a session who asks for a reservation (ask-reservation.mjs). */
export async function askReservation(relayAddress: string): Promise<number> {
  const { code, output } = await new Child(['node', 'e2e/helpers/ask-reservation.mjs', relayAddress]).exited
  if (code !== 0) throw new Error(output)
  return (JSON.parse(output) as { status: number }).status
}

/** A peer that looks for another by its PeerID, at a bridge, in a DHT of this name, once for each line that it is given (seeker.mjs). */
export function startSeeker(bridgeAddress: string, peer: string, protocol: string): Child {
  return new Child(['node', 'e2e/helpers/seeker.mjs', bridgeAddress, peer, protocol])
}
