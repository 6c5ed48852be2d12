/**
 * Whether a connection lives, as far as a program's client may look: a program reads its own streams, so what arrives on them is seen from below, by the muxer
 * (node/signs.ts). Not here: what follows from silence (paths/liveness.ts).
 */
import type { Connection } from '@libp2p/interface'
import type { Signs } from '../node/signs.ts'

/** Before the patience of paths/liveness.ts ends. */
const HEARD_AFTER_MS = 5_000
/** A peer that was heard so short a while ago is there, whatever its bridge says. */
const JUST_HEARD_MS = 2_500

export interface SignsOfLife {
  /** The round trip in milliseconds. Bytes that came since are an answer too, after five seconds: a question waits behind a file on its way. */
  ask(connection: Connection): Promise<number> | undefined
  isJustHeard(connection: Connection): boolean
}

/** @param steady the clock of `signs`: milliseconds that never go back */
export function createSignsOfLife(signs: Signs, steady: () => number): SignsOfLife {
  return {
    ask(connection) {
      const answer = signs.ask(connection)
      if (answer === undefined) return undefined
      const before = signs.heard(connection)?.times
      const { promise, resolve, reject } = Promise.withResolvers<number>()
      const timer = setTimeout(() => {
        if (signs.heard(connection)?.times !== before) resolve(HEARD_AFTER_MS)
      }, HEARD_AFTER_MS)
      answer.then(resolve, reject)
      return promise.finally(() => clearTimeout(timer))
    },
    isJustHeard(connection) {
      const heard = signs.heard(connection)
      return heard !== undefined && steady() - heard.at < JUST_HEARD_MS
    },
  }
}
