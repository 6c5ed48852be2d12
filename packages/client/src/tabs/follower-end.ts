/**
 * A following tab's side of the talk between tabs: asks the leader to act, with a deadline, and takes what it shows.
 * Not here: who leads (lead.ts), where what is shown goes (opening/tabs.ts).
 */
import { FootbridgeError } from '@footbridge/shared/errors'
import type { ActName, Acts, Mirror, TabMessage } from './messages.ts'

/** Longer than a login that knocks at a slow bridge, or a dial over two of them. */
const CALL_TIMEOUT_MS = 45_000
/** Calls that wait for an answer: a person, not a program. */
const MAX_CALLS = 64

interface Call {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: FootbridgeError) => void
  readonly timer: ReturnType<typeof setTimeout>
}

export interface FollowerEnd {
  /** @throws FootbridgeError what the leader's act threw; `timeout`, also when there is no leader any more; `rate_limited` */
  call<Name extends ActName>(act: Name, ...args: Parameters<Acts[Name]>): Promise<Awaited<ReturnType<Acts[Name]>>>
  take(message: TabMessage): void
  /** Asks the leader whether it is there; the first time, and when `fresh`, for all it shows. */
  ask(fresh?: boolean): void
  /** Who waits is told that it was in vain; what comes late is ignored. */
  stop(): void
}

export function createFollowerEnd(
  id: string,
  tell: (message: TabMessage) => void,
  onMirror: (mirror: Mirror) => void,
  callTimeoutMs = CALL_TIMEOUT_MS,
): FollowerEnd {
  const calls = new Map<number, Call>()
  let last = 0
  /** Changes mean nothing before the whole was seen. */
  let isWhole = false
  let isStopped = false

  const settle = (callId: number): Call | undefined => {
    const call = calls.get(callId)
    calls.delete(callId)
    clearTimeout(call?.timer)
    return call
  }

  return {
    async call(act, ...args) {
      if (calls.size >= MAX_CALLS) throw new FootbridgeError('rate_limited', 'too much at a time')
      const callId = ++last
      const { promise, resolve, reject } = Promise.withResolvers<unknown>()
      const timer = setTimeout(() => settle(callId)?.reject(new FootbridgeError('timeout', 'the other tab did not answer')), callTimeoutMs)
      calls.set(callId, { resolve, reject, timer })
      tell({ kind: 'call', from: id, id: callId, act, args })
      return (await promise) as never
    },
    take(message) {
      if (isStopped) return
      if (message.kind === 'reply' && message.to === id) {
        const call = settle(message.id)
        if ('code' in message) call?.reject(new FootbridgeError(message.code, message.message))
        else call?.resolve(message.value)
      } else if (message.kind === 'mirror') {
        isWhole ||= message.mirror.peers?.whole === true
        if (isWhole) onMirror(message.mirror)
      }
      // A leader that has just become one shows nothing by itself.
      else if (message.kind === 'here' && !isWhole) tell({ kind: 'ask', from: id, fresh: true })
    },
    ask: (fresh = false) => tell({ kind: 'ask', from: id, fresh: fresh || !isWhole }),
    stop() {
      isStopped = true
      for (const callId of calls.keys()) settle(callId)?.reject(new FootbridgeError('timeout', 'the other tab has gone'))
    },
  }
}
