/**
 * On which UDP ports the bridge answers STUN: that of WebTransport, or else one of its own, and a second, because two tell a browser more of its NAT.
 * One that cannot be had is done without: STUN helps, nothing rests on it.
 */
import type { StunServer } from './stun-server.ts'

export interface StunPorts {
  readonly host: string
  /** WebTransport's, which hands over what is STUN; undefined where it does not run. */
  readonly shared: number | undefined
  /** Its own first one, then those for the second, of which the first that differs is taken; 0 lets the system choose. */
  readonly wanted: readonly [number, ...number[]]
  readonly onMissing: (port: number, error: unknown) => void
}

/** @returns those that answer. */
export async function listenForStun(stun: Pick<StunServer, 'listen'>, { host, shared, wanted, onMissing }: StunPorts): Promise<number[]> {
  const [own, ...others] = wanted
  const second = others.filter((port) => port === 0 || port !== (shared ?? own)).slice(0, 1)
  const ports = shared === undefined ? [] : [shared]
  for (const port of shared === undefined ? [own, ...second] : second) {
    try {
      ports.push(await stun.listen({ host, port }))
    } catch (error) {
      onMissing(port, error)
    }
  }
  return ports
}
