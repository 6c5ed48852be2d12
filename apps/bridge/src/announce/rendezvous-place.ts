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
  /** Makes or renews. @throws when it has no room. */
  register(registration: {
    readonly namespace: string
    readonly peer: string
    readonly envelope: Uint8Array
    readonly legacy: Uint8Array
    readonly ttlMs: number
  }): void
  unregister(namespace: string, peer: string): void
}

export interface RendezvousPlace extends Place {
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
  readonly registrar: () => Registrar
  readonly onError: (error: unknown) => void
}): RendezvousPlace {
  const registered = new Map<string, { readonly carried: Carried; readonly namespaces: readonly string[] }>()
  let timer: NodeJS.Timeout | undefined

  const register = ({ peer, envelope, legacy }: Carried, into: readonly string[]): void => {
    for (const namespace of into) registrar().register({ namespace, peer, envelope, legacy, ttlMs: ANNOUNCED_RENDEZVOUS_TTL_MS })
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
      register(carried, into)
      return 'announced'
    },
    withdraw(peer) {
      for (const namespace of registered.get(peer)?.namespaces ?? []) registrar().unregister(namespace, peer)
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
