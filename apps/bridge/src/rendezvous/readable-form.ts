/**
 * Which form of record an asker at the rendezvous point can read. rust-libp2p reads the legacy one alone, go and JavaScript the standard one, and each gives up a whole
 * answer for one record in the other; nothing in a question says which, and most programs name themselves in Identify and not their libp2p. So: the form in which somebody
 * is registered, else what Identify tells (a name that is known, or a signed record, which go and JavaScript send in the standard form and Rust does not), else legacy.
 * The best guess for those of whom nothing is known, because Rust's is the one maintained client of this protocol besides ours. Not here: the protocol (SPEC.md, S4).
 */
import type { RecordForm } from '@footbridge/protocols/rendezvous/records'
import type { IdentifyResult, Libp2p, PeerId } from '@libp2p/interface'
import { IDENTIFY_WAIT_MS } from '../limits.ts'

export type IdentifyingNode = Pick<Libp2p, 'addEventListener' | 'removeEventListener'> & {
  readonly peerStore: Pick<Libp2p['peerStore'], 'get'>
}

/** What our own nodes call themselves (node/agent.ts). They read both. */
const OURS = /^footbridge\/\d/

interface Known {
  readonly agent: string
  readonly hasStandardRecord: boolean
}

/** Undefined: either form. */
export async function readableForm(
  node: IdentifyingNode,
  peer: PeerId,
  registeredIn: RecordForm | undefined,
  waitMs: number = IDENTIFY_WAIT_MS,
): Promise<RecordForm | undefined> {
  if (registeredIn === 'legacy') return registeredIn
  const known = (await knownOf(node, peer)) ?? (await toldSoon(node, peer, waitMs))
  if (known !== undefined && OURS.test(known.agent)) return undefined
  if (registeredIn !== undefined) return registeredIn
  if (known === undefined || known.agent.startsWith('rust-libp2p')) return 'legacy'
  return known.hasStandardRecord || /\b(go|js)-libp2p\b/.test(known.agent) ? 'standard' : 'legacy'
}

/** Undefined when Identify has not told of it yet; the protocols that are known of a peer before may come from its own streams. */
async function knownOf({ peerStore }: IdentifyingNode, peer: PeerId): Promise<Known | undefined> {
  try {
    const { metadata, peerRecordEnvelope } = await peerStore.get(peer)
    const agent = metadata.get('AgentVersion')
    return agent && { agent: new TextDecoder().decode(agent), hasStandardRecord: peerRecordEnvelope !== undefined }
  } catch {
    return undefined
  }
}

/** Who asks as soon as it is connected is ahead of Identify by a round trip. */
async function toldSoon(node: IdentifyingNode, peer: PeerId, waitMs: number): Promise<Known | undefined> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const onIdentify = ({ detail }: CustomEvent<IdentifyResult>): void => {
    if (detail.peerId.equals(peer)) resolve()
  }
  node.addEventListener('peer:identify', onIdentify)
  const timer = setTimeout(resolve, waitMs)
  try {
    await promise
  } finally {
    clearTimeout(timer)
    node.removeEventListener('peer:identify', onIdentify)
  }
  return knownOf(node, peer)
}
