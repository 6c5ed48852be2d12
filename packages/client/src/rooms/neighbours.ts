/**
 * Who else the bridge hears in a room: native peers, and where they say that they can be dialled. The bridge is this device's one neighbour, and gossip tells of neighbours
 * alone; besides, their programs fetch a file only over a connection that is there already (universal-connectivity's Go peer ends when it cannot).
 * Asked now and then, and before a file is offered; a bridge that does not know the question leaves the room as it is.
 */
import { withDeadline } from '@footbridge/protocols/deadline'
import { neighboursAnswerSchema, type Neighbour } from '@footbridge/shared/room-neighbours'
import * as v from 'valibot'
import { ASK_NEIGHBOURS_EVERY_MS } from './limits.ts'

const ANSWER_TIMEOUT_MS = 5_000
/** What 64 of them with all their addresses come to, and no more. */
const MAX_ANSWER_CHARACTERS = 1024 * 1024

export interface NeighboursParts {
  readonly bridgeUrl: string
  readonly fetch: typeof fetch
  readonly accessToken: () => string | undefined
  /** Milliseconds that never go back. */
  readonly steady: () => number
  readonly signal: AbortSignal
}

export interface Neighbours {
  /** Empty when the bridge does not tell. Never throws. @param isUrgent asks although it was asked a moment ago */
  of(room: string, isUrgent: boolean): Promise<readonly Neighbour[]>
  forget(room: string): void
}

export function createNeighbours({ bridgeUrl, fetch, accessToken, steady, signal }: NeighboursParts): Neighbours {
  const asked = new Map<string, { readonly at: number; answer: Promise<readonly Neighbour[]>; isOpen: boolean }>()

  const ask = (room: string, token: string): Promise<readonly Neighbour[]> =>
    withDeadline({ timeoutMs: ANSWER_TIMEOUT_MS, what: 'who else is in the room', signal }, async (inner) => {
      const response = await fetch(`${bridgeUrl}/api/v1/rooms/neighbours?topic=${encodeURIComponent(room)}`, {
        headers: { authorization: `Bearer ${token}` },
        credentials: 'omit',
        cache: 'no-store',
        signal: inner,
      })
      const text = response.ok ? await response.text() : ''
      if (text === '' || text.length > MAX_ANSWER_CHARACTERS) return []
      const answer = v.safeParse(neighboursAnswerSchema, JSON.parse(text))
      return answer.success ? answer.output.neighbours : []
    })

  return {
    of(room, isUrgent) {
      const token = accessToken()
      if (token === undefined) return Promise.resolve([])
      const before = asked.get(room)
      if (before !== undefined && (before.isOpen || (!isUrgent && steady() - before.at < ASK_NEIGHBOURS_EVERY_MS))) return before.answer
      const question = { at: steady(), answer: Promise.resolve<readonly Neighbour[]>([]), isOpen: true }
      question.answer = ask(room, token)
        .catch(() => [])
        .finally(() => (question.isOpen = false))
      asked.set(room, question)
      return question.answer
    },
    forget: (room) => void asked.delete(room),
  }
}
