/** What a person pastes to reach somebody: a PeerID, a multiaddr that ends in one, or an invitation link of this app. */

/** Base58 of an Ed25519, secp256k1 or RSA PeerID, or its CIDv1 form. Whether it decodes is for the SDK to say. */
const PEER_ID =
  /^(12D3KooW[1-9A-HJ-NP-Za-km-z]{44}|16Uiu2HA[1-9A-HJ-NP-Za-km-z]{46}|Qm[1-9A-HJ-NP-Za-km-z]{44}|k[a-z0-9]{50,64}|bafz[a-z2-7]{50,64})$/

/** @returns what to hand to `Footbridge.dial`, or undefined when the text is none of the three. */
export function dialTarget(text: string): string | undefined {
  const trimmed = text.trim()
  if (PEER_ID.test(trimmed)) return trimmed
  if (trimmed.startsWith('/') && trimmed.includes('/p2p/')) return trimmed
  const invited = /^https?:\/\/[^/]+\/people\/([^/?#]+)/.exec(trimmed)?.[1]
  return invited !== undefined && PEER_ID.test(invited) ? invited : undefined
}

/** The link that opens a conversation with `peer` for anybody on the same bridge. */
export function invitationLink(origin: string, peer: string): string {
  return `${origin}/people/${peer}`
}
