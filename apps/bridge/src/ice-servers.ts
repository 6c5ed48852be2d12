/**
 * What a browser is told to use for direct connections: the bridge's own STUN first, then the operator's TURN with credentials of this session alone, then the
 * servers that the operator listed. Joins stun, turn and the addresses, which do not know each other.
 */
import type { SessionAnswer } from '@footbridge/shared/login'
import { multiaddr } from '@multiformats/multiaddr'
import type { Config } from './config/config.ts'
import { isLoopback } from './config/values.ts'
import { hostForUdp } from './node/addresses.ts'
import type { TurnCredentials } from './turn/turn-credentials.ts'

export type IceServers = SessionAnswer['iceServers']

export interface IceServersOptions {
  readonly config: Pick<Config, 'publicUrl' | 'announceAddrs' | 'iceServers' | 'wtHost'>
  /** The UDP ports on which the bridge answers STUN; none when it does not. */
  readonly stunPorts: () => readonly number[]
  /** Undefined without TURN. */
  readonly turn: TurnCredentials | undefined
}

export interface IceSession {
  readonly peer: string
  /** At which the browser reached the bridge. */
  readonly origin: string
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

export function createIceServers({ config, stunPorts, turn }: IceServersOptions): (session: IceSession) => IceServers {
  const announced = config.announceAddrs.flatMap((address) => hostOf(address) ?? [])[0]

  const ownStun = (origin: string): IceServers => {
    const host = stunHost(origin)
    const ports = stunPorts()
    return host === undefined || ports.length === 0 ? [] : [{ urls: ports.map((port) => `stun:${host}:${port}`) }]
  }

  const stunHost = (origin: string): string | undefined => {
    // Without a public address, a browser on this machine is told of this machine.
    const isHere = config.publicUrl === undefined && isLoopback(hostForUdp(origin, config.wtHost) ?? '')
    // Where native peers reach the bridge no HTTP proxy stands in between, so UDP has the best chance there.
    const host = announced === undefined || isHere ? hostForUdp(config.publicUrl ?? origin, config.wtHost) : announced
    if (host === undefined || (isLoopback(config.wtHost) && !isLoopback(host))) return undefined
    return host.includes(':') ? `[${host}]` : host
  }

  return ({ peer, origin, expiresAt }) => [
    ...ownStun(origin),
    ...(turn === undefined ? [] : [turn.issue({ peer, sessionEndsAt: expiresAt })]),
    ...config.iceServers.map((server) => ({ ...server, urls: [...server.urls] })),
  ]
}

/** Of an announced address over TCP or UDP: its name or IP address. */
function hostOf(address: string): string | undefined {
  const [host, transport] = multiaddr(address).getComponents()
  const isHost = ['dns', 'dns4', 'dns6', 'ip4', 'ip6'].includes(host?.name ?? '')
  return isHost && ['tcp', 'udp'].includes(transport?.name ?? '') ? host?.value : undefined
}
