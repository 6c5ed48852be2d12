/**
 * The bridge as a client of rendezvous points: registers itself in each namespace, takes itself out, and asks who else is there.
 * A cookie is kept for each point and namespace, so that an answer has only who is new; one that the point refuses is forgotten and everything asked for again.
 * Not here: the protocol (packages/protocols/src/rendezvous), at which points and when (helpers.ts), and what becomes of who is found (discovery.ts).
 */
import type { Found, RendezvousClient } from '@footbridge/protocols/rendezvous/rendezvous-client'
import type { RecordForm } from '@footbridge/protocols/rendezvous/records'
import { FootbridgeError } from '@footbridge/shared/errors'
import { peerIdFromString } from '@libp2p/peer-id'
import { DISCOVER_LIMIT, REGISTRATION_TTL_SECONDS, REQUEST_TIMEOUT_MS } from './limits.ts'

export type PointClient = Pick<RendezvousClient, 'register' | 'unregister' | 'discover'>

export interface Points {
  /** In every namespace. @returns for how long, by the shortest of them. @throws when one of them is refused. */
  register(point: string, signal: AbortSignal): Promise<number>
  unregister(point: string, signal: AbortSignal): Promise<void>
  discover(point: string, signal: AbortSignal): Promise<readonly Found[]>
  /** What is remembered of a point goes. */
  forget(point: string): void
}

export function createPoints({ client, namespaces }: { readonly client: PointClient; readonly namespaces: readonly string[] }): Points {
  const cookies = new Map<string, Map<string, Uint8Array>>()
  /** What each point took last. */
  const forms = new Map<string, RecordForm>()

  const ask = async (point: string, namespace: string, signal: AbortSignal): Promise<readonly Found[]> => {
    const held = cookies.get(point) ?? new Map<string, Uint8Array>()
    cookies.set(point, held)
    const options = { namespace, limit: DISCOVER_LIMIT, timeoutMs: REQUEST_TIMEOUT_MS, signal }
    const cookie = held.get(namespace)
    try {
      const answer = await client.discover(peerIdFromString(point), { ...options, cookie })
      if (answer.cookie === undefined) held.delete(namespace)
      else held.set(namespace, answer.cookie)
      // A point that tells more than it was asked for does not fill the book.
      return answer.found.slice(0, DISCOVER_LIMIT)
    } catch (error) {
      if (cookie === undefined || !(error instanceof Error && 'code' in error && error.code === 'invalid_cookie')) throw error
      held.delete(namespace)
      return ask(point, namespace, signal)
    }
  }

  return {
    async register(point, signal) {
      let ttlSeconds = Number.POSITIVE_INFINITY
      for (const namespace of namespaces) {
        const form = forms.get(point)
        const options = { ttlSeconds: REGISTRATION_TTL_SECONDS, timeoutMs: REQUEST_TIMEOUT_MS, signal, ...(form && { form }) }
        const answer = await client.register(peerIdFromString(point), namespace, options)
        forms.set(point, answer.form)
        ttlSeconds = Math.min(ttlSeconds, answer.ttlSeconds)
      }
      if (!(ttlSeconds > 0) || !Number.isFinite(ttlSeconds))
        throw new FootbridgeError('protocol_violation', 'a rendezvous point promised no time')
      return ttlSeconds * 1_000
    },
    async unregister(point, signal) {
      for (const namespace of namespaces)
        await client.unregister(peerIdFromString(point), namespace, { timeoutMs: REQUEST_TIMEOUT_MS, signal })
    },
    async discover(point, signal) {
      const found: Found[] = []
      for (const namespace of namespaces) found.push(...(await ask(point, namespace, signal)))
      return found
    },
    forget(point) {
      cookies.delete(point)
      forms.delete(point)
    },
  }
}
