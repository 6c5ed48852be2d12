/**
 * The few bytes of a QUIC packet that are not encrypted (RFC 8999, RFC 9000 section 17): enough to tell a new connection from an old one.
 * Not here: what is done with them (udp-front.ts).
 */

/** RFC 9000 section 14.1: a datagram with a client's first packet is at least this long, and a server drops shorter ones. */
const MIN_INITIAL_BYTES = 1_200
/** How long quinn makes its connection ids. A packet with a short header does not say. */
const SERVER_ID_BYTES = 8

/** Long headers belong to the handshake, short ones to what comes after it. */
export function isLongHeader(packet: Uint8Array): boolean {
  return ((packet[0] ?? 0) & 0x80) !== 0
}

/** Long headers begin with 1, short ones with 01, unless a client greases that bit (RFC 9287). STUN begins with 00 (RFC 9443). */
export function looksLikeQuic(packet: Uint8Array): boolean {
  return ((packet[0] ?? 0) & 0xc0) !== 0
}

/** Could this packet begin a connection? */
export function isOpening(packet: Uint8Array): boolean {
  return isLongHeader(packet) && packet.length >= MIN_INITIAL_BYTES
}

/** The server knows no version that the client asked for (a long header with version 0): the client begins again, with another id if it likes. */
export function isVersionNegotiation(packet: Buffer): boolean {
  return packet.length >= 5 && packet.readUInt32BE(1) === 0
}

/** The id that the sender of a long header has chosen for itself, or undefined when the packet is cut short. */
export function sourceIdOf(packet: Buffer): string | undefined {
  const sourceAt = 6 + (packet[5] ?? 0)
  const end = sourceAt + 1 + (packet[sourceAt] ?? 0)
  return end > packet.length ? undefined : packet.toString('latin1', sourceAt + 1, end)
}

/** Whom a packet is for. */
export function destinationIdOf(packet: Buffer): string {
  if (isLongHeader(packet)) return packet.toString('latin1', 6, 6 + (packet[5] ?? 0))
  return packet.toString('latin1', 1, 1 + SERVER_ID_BYTES)
}
