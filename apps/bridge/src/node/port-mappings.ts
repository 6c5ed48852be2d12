/**
 * Ports on the operator's router, for `--upnp`. Routers are found, and spoken to, by @achingbrain/nat-port-mapper; which ports are held, for how long, and that they are given back, is
 * decided here. Its own way, in 4.0.5, is none for a program that has TCP and UDP on one number:
 *
 * - what it gives back it names by the number inside and no protocol: UDP stays open, and where the router gave another number outside, it names somebody else's port;
 * - each of two mappings of one number refreshes both and waits for both again, so that what it sends doubles every hour;
 * - pinholes for IPv6 it asks of the service for IPv4, which no router answers: those routers are left out.
 *
 * It knows the second version of the protocol alone (2010). Not here: which ports are wanted, and what is announced (@libp2p/upnp-nat).
 */
import { upnpNat, type Gateway, type MapPortOptions, type PortMapping, type UPnPNAT } from '@achingbrain/nat-port-mapper'
import type { AbortOptions, Logger } from '@libp2p/interface'

/** The least that the library asks for; a bridge that is killed leaves its ports open no longer. */
const LEASE_MS = 3_600_000
/** Twice in a lease, so that one request may be lost. */
const RENEW_MS = LEASE_MS / 2 - 60_000
const RENEW_DEADLINE_MS = 10_000
const SERVICE = 'urn:schemas-upnp-org:service:WANIPConnection:2'

/** What a gateway of the library has beside its type. */
interface Inside {
  readonly mappings: Map<number, unknown>
  getGateway(options?: AbortOptions): Promise<{
    run(service: string, action: string, args: readonly (readonly [string, string | number])[], options?: AbortOptions): Promise<unknown>
  }>
}

/** For uPnPNAT(). @param description what the router's own pages call the mappings. */
export function portMappingClient(description: string, log: Logger): UPnPNAT {
  const stock = upnpNat({ description, ttl: LEASE_MS, autoRefresh: false })
  return {
    async *findGateways(options) {
      for await (const gateway of stock.findGateways(options)) if (gateway.family === 'IPv4') yield holdingPorts(gateway, log)
    },
    getGateway: async (descriptor, options) => holdingPorts(await stock.getGateway(descriptor, options), log),
  }
}

/** The same gateway, which holds each port until it is stopped. Its stop is idempotent. */
export function holdingPorts(gateway: Gateway, log: Pick<Logger, 'error'>): Gateway {
  const inside = gateway as unknown as Inside
  const stock = { map: gateway.map.bind(gateway), stop: gateway.stop.bind(gateway) }
  const held = new Map<string, { readonly mapping: PortMapping; readonly timer: ReturnType<typeof setInterval> }>()
  let isStopped = false

  const ask = async (internalPort: number, internalHost: string, options: MapPortOptions): Promise<PortMapping> => {
    const mapping = await stock.map(internalPort, internalHost, { ...options, autoRefresh: false })
    // Its own list is of numbers without protocols.
    inside.mappings.delete(internalPort)
    return mapping
  }
  const renew = async ({ internalPort, internalHost, protocol, externalPort }: PortMapping): Promise<void> => {
    try {
      await ask(internalPort, internalHost, { protocol, externalPort, signal: AbortSignal.timeout(RENEW_DEADLINE_MS) })
    } catch (error) {
      log.error('the router did not renew %s port %d - %e', protocol, externalPort, error)
    }
  }
  const giveBack = async ({ protocol, externalPort }: PortMapping, options?: AbortOptions): Promise<void> => {
    try {
      const device = await inside.getGateway(options)
      const args = [
        ['NewRemoteHost', ''],
        ['NewExternalPort', externalPort],
        ['NewProtocol', protocol],
      ] as const
      await device.run(SERVICE, 'DeletePortMapping', args, options)
    } catch (error) {
      log.error('the router did not close %s port %d - %e', protocol, externalPort, error)
    }
  }
  const release = async (fits: (mapping: PortMapping) => boolean, options?: AbortOptions): Promise<void> => {
    const gone = [...held].filter(([, { mapping }]) => fits(mapping))
    for (const [key, { timer }] of gone) {
      clearInterval(timer)
      held.delete(key)
    }
    await Promise.all(gone.map(([, { mapping }]) => giveBack(mapping, options)))
  }

  return Object.assign(gateway, {
    async map(internalPort: number, internalHost: string, options: MapPortOptions = {}): Promise<PortMapping> {
      const mapping = await ask(internalPort, internalHost, options)
      const key = `${mapping.protocol} ${internalHost} ${internalPort}`
      clearInterval(held.get(key)?.timer)
      held.set(key, { mapping, timer: setInterval(() => void renew(mapping), RENEW_MS).unref() })
      // Asked for before the stop, and given after it.
      if (isStopped) await release((each) => each === mapping)
      return mapping
    },
    unmap: (internalPort: number, options?: AbortOptions) => release((mapping) => mapping.internalPort === internalPort, options),
    async stop(options?: AbortOptions): Promise<void> {
      isStopped = true
      await release(() => true, options)
      await stock.stop(options)
    },
  })
}
