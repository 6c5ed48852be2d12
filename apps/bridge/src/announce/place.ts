/**
 * A place where virtual peers are told of: a rendezvous, Kademlia, the LAN. The port that announce.ts drives; one file beside this for each.
 * What a place may rest on: it is given only records that hold, one call at a time for a peer, and `withdraw` for each that it was given.
 */
import type { Carried } from './announcement.ts'

export interface Place {
  readonly name: 'rendezvous' | 'kademlia' | 'mdns'
  /** Under which names it tells of them; none: it is switched off, and never called. */
  readonly names: () => readonly string[]
  /** Also for a peer that it tells of already, with a newer record. Throwing is `failed`: it is called again some time later. */
  announce(carried: Carried): Promise<'announced' | 'full'> | 'announced' | 'full'
  /** Nobody who asks from now on is told. Also for a peer that it does not know. */
  withdraw(peer: string): Promise<void> | void
}
