/**
 * Who this program is, over its storage: the key, and its enrolment at each bridge. Anything that cannot be read counts as not there, so that a file of another
 * version costs a login and not the start.
 */
import { FootbridgeError } from '@footbridge/shared/errors'
import { sessionAnswerSchema } from '@footbridge/shared/login'
import { utf8Decode, utf8Encode } from '@footbridge/shared/text-codec'
import * as v from 'valibot'
import { decodePrivateKey, peerOf } from '../identity.ts'
import type { SelfStore } from '../store/self.ts'
import type { ProgramStorage } from './storage.ts'

const IDENTITY = 'identity'

const enrolmentSchema = v.object({
  bridgeUrl: v.string(),
  bridge: v.object({ peer: v.string(), name: v.string(), version: v.string() }),
  peer: v.string(),
  loggedOut: v.boolean(),
  session: sessionAnswerSchema,
})

export type ProgramSelf = Pick<SelfStore, 'identity' | 'setIdentity' | 'enrolment' | 'setEnrolment' | 'setLastBridge'>

/**
 * @param given the key that the program brought; it is not written down
 * @param now milliseconds since the epoch
 */
export function createProgramSelf(storage: ProgramStorage, given: Uint8Array | undefined, now: () => number): ProgramSelf {
  const nameOf = (bridgeUrl: string): string => `enrolment ${bridgeUrl}`
  const record = (privateKey: Uint8Array) => ({ peer: peerOf(decodePrivateKey(privateKey)), privateKey, createdAt: now() })
  return {
    async identity() {
      if (given !== undefined) return record(given)
      const kept = await storage.get(IDENTITY)
      return kept && record(kept)
    },
    async setIdentity({ privateKey }) {
      if (given !== undefined) throw new FootbridgeError('internal', 'the program brought its key')
      await storage.set(IDENTITY, privateKey)
    },
    async enrolment(bridgeUrl) {
      const bytes = await storage.get(nameOf(bridgeUrl))
      const read = v.safeParse(enrolmentSchema, bytes && parseJson(bytes))
      // Another key's enrolment is none of this one's.
      if (!read.success || read.output.peer !== (await this.identity())?.peer) return undefined
      return read.output
    },
    setEnrolment: (enrolment) => storage.set(nameOf(enrolment.bridgeUrl), utf8Encode(JSON.stringify(enrolment))),
    setLastBridge: async () => undefined,
  }
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(utf8Decode(bytes))
  } catch {
    return undefined
  }
}
