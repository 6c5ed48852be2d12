/** Both envelopes of a record that a device gave, checked against its connection. Not here: whether its number and addresses are wanted (announcement.ts). */
import { openRecord } from '@footbridge/protocols/announce/signed-records'
import { base64urlDecode } from '@footbridge/shared/text-codec'
import type { RecordRefusal } from '@footbridge/shared/wire/announce-frame'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Carried } from './announcement.ts'

/** @param peer whose connection it came over */
export async function openEnvelopes(
  peer: string,
  frame: { readonly envelope: string; readonly legacy: string },
): Promise<Carried | RecordRefusal> {
  const [envelope, legacy] = [base64urlDecode(frame.envelope), base64urlDecode(frame.legacy)]
  if (envelope === undefined || legacy === undefined) return 'malformed'
  const opened = await openRecord(envelope, 'standard')
  if (typeof opened === 'string') return opened
  const other = await openRecord(legacy, 'legacy')
  if (typeof other === 'string') return other
  if (opened.peer.toString() !== peer || other.peer.toString() !== peer) return 'peer'
  const addresses = opened.addresses.map(withoutPeer(peer))
  // Who asks in the older form must hear the same.
  if (opened.seq !== other.seq || addresses.join() !== other.addresses.map(withoutPeer(peer)).join()) return 'malformed'
  if (opened.seq < 1n || opened.seq > BigInt(Number.MAX_SAFE_INTEGER)) return 'number'
  return { peer, seq: Number(opened.seq), envelope, legacy, addresses }
}

/** Records are written with and without the peer's own `/p2p/` at the end of an address. */
function withoutPeer(peer: string): (address: Multiaddr) => Multiaddr {
  return (address) => {
    const last = address.getComponents().at(-1)
    return last?.name === 'p2p' && last.value === peer ? address.decapsulate(`/p2p/${peer}`) : address
  }
}
