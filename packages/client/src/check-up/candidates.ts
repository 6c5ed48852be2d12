/**
 * What ICE candidates tell of a network: the address that others see, and RFC 4787's mapping behaviour from the answers of two STUN servers to one socket.
 * Pure. Not here: gathering them (probe-udp.ts).
 */
import type { MappedAddress, NatKind } from './facts.ts'

/** RFC 8839, 5.1: the parts that matter here. */
export interface Candidate {
  readonly address: string
  readonly port: number
  readonly type: 'host' | 'srflx' | 'prflx' | 'relay'
  readonly protocol: 'udp' | 'tcp'
  /** Of the socket behind it; `0.0.0.0` or `::` where a browser hides it. */
  readonly relatedAddress: string | undefined
  readonly relatedPort: number | undefined
  /** Chromium's number of the interface. */
  readonly networkId: string | undefined
}

/** @param text as in `RTCIceCandidate.candidate`. Undefined for the mark of the end and for what is none. */
export function parseCandidate(text: string): Candidate | undefined {
  const [head, , transport, , address, port, typ, type, ...rest] = text.trim().split(/\s+/)
  const protocol = transport?.toLowerCase()
  if (head?.startsWith('candidate:') !== true || typ !== 'typ' || address === undefined) return undefined
  if (protocol !== 'udp' && protocol !== 'tcp') return undefined
  if (type !== 'host' && type !== 'srflx' && type !== 'prflx' && type !== 'relay') return undefined
  const after = (name: string): string | undefined => {
    const at = rest.indexOf(name)
    return at === -1 ? undefined : rest[at + 1]
  }
  const relatedPort = after('rport')
  return {
    address,
    port: Number(port),
    type,
    protocol,
    relatedAddress: after('raddr'),
    relatedPort: relatedPort === undefined ? undefined : Number(relatedPort),
    networkId: after('network-id'),
  }
}

/** Mapped addresses, each once. */
export function mappedBy(candidates: readonly Candidate[]): readonly MappedAddress[] {
  const mapped = candidates.filter(({ type }) => type === 'srflx').map(({ address, port }) => ({ address, port }))
  return mapped.filter((one, index) => mapped.findIndex((other) => isSame(one, other)) === index)
}

/**
 * @param both of one socket that asked both servers. A browser names a mapped address once, whoever told it.
 * @param answered how many of the two servers answer at all.
 */
export function natKind(both: readonly Candidate[], answered: number): NatKind {
  const sockets = new Map<string, Candidate[]>()
  for (const candidate of both) {
    if (candidate.type !== 'srflx' || candidate.protocol !== 'udp') continue
    const socket = socketOf(candidate)
    sockets.set(socket, [...(sockets.get(socket) ?? []), candidate])
  }
  if (sockets.size === 0) return 'unknown'
  if ([...sockets.values()].some((of) => mappedBy(of).length > 1)) return 'symmetric'
  if (answered < 2) return 'unknown'
  const own = both.filter(({ type }) => type === 'host')
  return mappedBy(both).every((mapped) => own.some((host) => isSame(mapped, host))) ? 'none' : 'endpoint_independent'
}

/** Addresses that mean something inside one network alone: RFC 1918, 6598, 3927, 4193, 4291. */
export function isPrivateAddress(address: string): boolean {
  if (address.includes(':')) return /^(::1$|f[cd]|fe[89ab])/i.test(address)
  const [first = 0, second = 0] = address.split('.').map(Number)
  if (first === 10 || first === 127) return true
  if (first === 172) return second >= 16 && second < 32
  if (first === 192) return second === 168
  if (first === 169) return second === 254
  return first === 100 && second >= 64 && second < 128
}

/** A machine with two ways out has two sockets, whose mapped addresses differ behind any NAT. */
function socketOf({ networkId, relatedAddress, relatedPort, address }: Candidate): string {
  const isHidden = relatedAddress === undefined || relatedAddress === '0.0.0.0' || relatedAddress === '::'
  if (!isHidden) return `${relatedAddress} ${relatedPort}`
  return `${networkId ?? ''} ${address.includes(':') ? 'ip6' : 'ip4'}`
}

function isSame(one: MappedAddress, other: MappedAddress): boolean {
  return one.address === other.address && one.port === other.port
}
