/**
 * The bridge's own rendezvous: the record of a virtual peer stands in each of the configured namespaces, as the peer signed it, for as long as its session lives.
 * Registrations are short and renewed, so that what others copied is soon old; the record itself is the same, because only the device could sign another.
 * Not here: the rendezvous (packages/protocols/src/rendezvous).
 */
import { ANNOUNCED_RENDEZVOUS_TTL_MS } from '../limits.ts'
import type { Carried } from './announcement.ts'
import type { Place } from './place.ts'

/** What is used of the rendezvous server. */
export interface Registrar {
  /** Makes or renews. @returns false when it has no room. */
  register(registration: {
    readonly namespace: string
    readonly peer: string
    readonly standard: Uint8Array
    readonly legacy: Uint8Array
    readonly ttlSeconds: number
  }): boolean
  unregister(peer: string, namespace: string): void
}

export interface RendezvousPlace extends Place {
  announce(carried: Carried): 'announced' | 'full'
  withdraw(peer: string): void
  /** Renews what is registered. Idempotent, as is stop. */
  start(): void
  stop(): void
}

export function createRendezvousPlace({
  namespaces,
  registrar,
  onError,
}: {
  readonly namespaces: () => readonly string[]
  readonly registrar: Registrar
  readonly onError: (error: unknown) => void
}): RendezvousPlace {
  const registered = new Map<string, { readonly carried: Carried; readonly namespaces: readonly string[] }>()
  let timer: NodeJS.Timeout | undefined

  /** @returns whether there was room in all. */
  const register = ({ peer, envelope, legacy }: Carried, into: readonly string[]): boolean => {
    const ttlSeconds = ANNOUNCED_RENDEZVOUS_TTL_MS / 1000
    return into.map((namespace) => registrar.register({ namespace, peer, standard: envelope, legacy, ttlSeconds })).every(Boolean)
  }

  const renew = (): void => {
    for (const { carried, namespaces: into } of registered.values()) {
      try {
        register(carried, into)
      } catch (error) {
        onError(error)
      }
    }
  }

  return {
    name: 'rendezvous',
    names: namespaces,
    announce(carried) {
      const into = [...namespaces()]
      // Before it is done: half a registration is taken back too.
      registered.set(carried.peer, { carried, namespaces: into })
      return register(carried, into) ? 'announced' : 'full'
    },
    withdraw(peer) {
      for (const namespace of registered.get(peer)?.namespaces ?? []) registrar.unregister(peer, namespace)
      registered.delete(peer)
    },
    start() {
      timer ??= setInterval(renew, ANNOUNCED_RENDEZVOUS_TTL_MS / 2).unref()
    },
    stop() {
      clearInterval(timer)
      timer = undefined
    },
  }
}
