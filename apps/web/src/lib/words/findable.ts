/** Who can find this device and where it is told of, in words. Not here: what is told where (the bridge says). */
import type { AnnouncePlace, Visibility } from '@footbridge/shared/wire/announce-frame'
import { m } from '../paraglide/messages.js'

export interface Choice {
  readonly value: Visibility
  readonly title: string
  readonly note: string
}

export function choices(): readonly Choice[] {
  return [
    { value: 'nobody', title: m.find_nobody(), note: m.find_nobody_note() },
    { value: 'bridge', title: m.find_bridge(), note: m.find_bridge_note() },
    { value: 'network', title: m.find_network(), note: m.find_network_note() },
  ]
}

const PLACES: Record<Exclude<AnnouncePlace['place'], 'other'>, () => string> = {
  presence: () => m.find_place_presence(),
  rendezvous: () => m.find_place_rendezvous(),
  kademlia: () => m.find_place_kademlia(),
  mdns: () => m.find_place_mdns(),
  pubsub: () => m.find_place_pubsub(),
}

export interface PlaceLine {
  readonly place: AnnouncePlace['place']
  readonly title: string
  readonly state: string
  readonly mark: 'good' | 'waiting' | 'bad'
  /** The exact names, for who wants to look there. */
  readonly names: readonly string[]
}

/** Those where the device is told of, or would be; what is switched off is not a line. */
export function placeLines(places: readonly AnnouncePlace[]): readonly PlaceLine[] {
  return places.flatMap(({ place, state, names }) => {
    if (place === 'other' || state === 'off' || state === 'other') return []
    return { place, title: PLACES[place](), names, ...words(place, state) }
  })
}

function words(place: AnnouncePlace['place'], state: Exclude<AnnouncePlace['state'], 'off' | 'other'>): Pick<PlaceLine, 'state' | 'mark'> {
  switch (state) {
    case 'announced':
      return { state: m.find_state_announced(), mark: 'good' }
    case 'ready':
      return { state: place === 'pubsub' ? m.find_state_in_rooms() : m.find_state_ready(), mark: 'waiting' }
    case 'full':
      return { state: m.find_state_full(), mark: 'bad' }
    case 'failed':
      return { state: m.find_state_failed(), mark: 'bad' }
  }
}

/** One sentence for whoever is reachable. */
export function foundWords(choice: Visibility): string {
  switch (choice) {
    case 'nobody':
      return m.network_found_nobody()
    case 'bridge':
      return m.network_found_bridge()
    case 'network':
      return m.network_found_network()
  }
}
