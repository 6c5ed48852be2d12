/**
 * One dial to a peer at a time: whoever dials a peer that is being dialled gets the same end, whatever the address.
 * Not here: how a dial is made (connect.ts passes it in).
 */
import { FootbridgeError } from '@footbridge/shared/errors'
import { withDeadline } from '@footbridge/protocols/deadline'
import { parsePeerAddress, type PeerAddress } from './addresses.ts'
import { DIAL_TIMEOUT_MS, MAX_BOOTSTRAP_ADDRESSES, MAX_PENDING_DIALS } from './limits.ts'

export interface DialsParts {
  /** This program. */
  readonly own: string
  /** Whether the peer is connected so well that this address would add nothing. */
  readonly isConnected: (to: PeerAddress) => boolean
  readonly dial: (to: PeerAddress, signal: AbortSignal) => Promise<unknown>
  /** The client closes. */
  readonly signal: AbortSignal
}

export interface Dials {
  /** See NetworkClient. */
  dial(text: string, signal?: AbortSignal): Promise<string>
  /** See NetworkClient. */
  bootstrap(texts: readonly string[]): Promise<readonly string[]>
}

export function createDials({ own, isConnected, dial, signal: stopping }: DialsParts): Dials {
  const pending = new Map<string, Promise<string>>()

  const begin = async (to: PeerAddress): Promise<string> => {
    try {
      await withDeadline({ timeoutMs: DIAL_TIMEOUT_MS, what: 'the dial', signal: stopping }, (signal) => dial(to, signal))
      return to.peer
    } catch (cause) {
      if (cause instanceof FootbridgeError) throw cause
      throw new FootbridgeError('peer_unreachable', `nobody answered at ${to.address.toString()}`, { cause })
    }
  }

  const share = (to: PeerAddress): Promise<string> => {
    if (to.peer === own) throw new FootbridgeError('bad_request', 'a program does not dial itself')
    const underway = pending.get(to.peer)
    if (underway !== undefined) return underway
    if (isConnected(to)) return Promise.resolve(to.peer)
    if (pending.size >= MAX_PENDING_DIALS) throw new FootbridgeError('rate_limited', `${MAX_PENDING_DIALS} dials are under way`)
    const begun = begin(to).finally(() => pending.delete(to.peer))
    pending.set(to.peer, begun)
    return begun
  }

  return {
    // Calling off leaves the dial to the others who wait for it.
    dial: async (text, signal) => {
      const shared = share(parsePeerAddress(text))
      return signal === undefined ? shared : withDeadline({ timeoutMs: DIAL_TIMEOUT_MS, what: 'the dial', signal }, () => shared)
    },
    async bootstrap(texts) {
      if (texts.length === 0 || texts.length > MAX_BOOTSTRAP_ADDRESSES)
        throw new FootbridgeError('bad_request', `bootstrap takes 1 to ${MAX_BOOTSTRAP_ADDRESSES} addresses, not ${texts.length}`)
      const targets = texts.map(parsePeerAddress)
      const ends = await Promise.allSettled(targets.map(async (to) => share(to)))
      const reached = new Set(ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : [])))
      if (reached.size > 0) return [...reached]
      const errors = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []))
      throw new FootbridgeError('peer_unreachable', 'nobody was reached', { cause: new AggregateError(errors) })
    },
  }
}
