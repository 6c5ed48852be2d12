/** What a peer is called and what it is, in words. */
import type { Peer } from '@footbridge/client/api'
import { m } from '../paraglide/messages.js'

/** Their own name, or the last characters of the PeerID: the first ones are the same for all. */
export function nameOf(peer: Pick<Peer, 'id' | 'name'>): string {
  const name = peer.name.trim()
  return name === '' ? m.peer_unnamed({ end: peer.id.slice(-6) }) : name
}

export function deviceWords(device: Peer['device']): string {
  switch (device) {
    case 'browser':
      return m.device_browser()
    case 'phone':
      return m.device_phone()
    case 'native':
      return m.device_native()
  }
}
