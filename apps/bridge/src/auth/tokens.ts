/**
 * Bridge tokens: made, listed, revoked. The text of a token exists only in what `create` returns; the store has its SHA-256.
 * Not here: who may come in with one (sessions.ts), what has been used of its day (budgets.ts), its text form (shared/bridge-token.ts).
 */
import { createHash } from 'node:crypto'
import { formatBridgeToken, BRIDGE_TOKEN_BYTES, type BridgeToken } from '@footbridge/shared/bridge-token'
import { FootbridgeError } from '@footbridge/shared/errors'
import type { DeviceRecord, Storage, TokenLimits, TokenRecord } from '@footbridge/storage/ports'
import {
  DOCTOR_TOKEN_LIFE_MS,
  FIRST_TOKEN_MAX_DEVICES,
  GUEST_BYTES_PER_DAY,
  GUEST_BYTES_PER_SECOND,
  GUEST_CIRCUITS_PER_MINUTE,
  GUEST_LIFE_MS,
  GUEST_MAX_CIRCUITS,
  GUEST_MAX_DEVICES,
  MAX_GUESTS,
  MAX_LABEL_LENGTH,
  MAX_TOKENS,
} from '../limits.ts'
import { utcDay } from './budgets.ts'

/** A limit that is left out, or null, is none. Times in milliseconds since the epoch. */
export interface TokenOptions extends Partial<TokenLimits> {
  readonly label: string
  readonly expiresAt: number | null
}

const NO_LIMITS: TokenLimits = {
  maxDevices: null,
  maxReservations: null,
  maxCircuits: null,
  circuitsPerMinute: null,
  bytesPerDay: null,
  bytesPerSecond: null,
}

export interface CreatedToken {
  /** To be shown once and forgotten. */
  readonly token: BridgeToken
  readonly record: TokenRecord
}

export type TokenState = 'active' | 'expired' | 'revoked'

export interface TokenDetails {
  readonly record: TokenRecord
  readonly state: TokenState
  readonly devices: readonly DeviceRecord[]
  readonly bytesToday: number
}

export interface Tokens {
  /** @throws FootbridgeError `bad_request` for a label that does not fit, `bridge_full` at MAX_TOKENS. */
  create(options: TokenOptions): Promise<CreatedToken>
  /** Oldest first. */
  list(): Promise<TokenDetails[]>
  show(id: string): Promise<TokenDetails | undefined>
  /** Ends its sessions too; the call that finds no such token gives undefined. A second revocation changes nothing. */
  revoke(id: string): Promise<TokenRecord | undefined>
  /** Changes the limits given, for running sessions and circuits too; a lowered number of devices sends none away. Undefined: there is no such token. */
  limit(id: string, changes: Partial<TokenLimits>): Promise<TokenRecord | undefined>
  /** The record as changed since it was read, so that a login under way cannot bring old limits. */
  newest(record: TokenRecord): TokenRecord
  /** True from the moment that a revocation begins, so that a login under way cannot slip past it. */
  isBeingRevoked(id: string): boolean
  /** The first token of an empty store; undefined when there is, or ever was, one of the operator's. */
  ensureFirst(): Promise<CreatedToken | undefined>
  /** @throws FootbridgeError `guests_full`. */
  createGuest(): Promise<TokenRecord>
  /** For `footbridge doctor`: one device, five minutes, forgotten as guests are. */
  createForDoctor(): Promise<CreatedToken>
  /** Forgets expired guests. @returns how many. */
  prune(): Promise<number>
}

export interface TokensDependencies {
  readonly storage: Storage
  readonly clock: () => number
  readonly randomBytes: (length: number) => Uint8Array
  /** Ends the token's sessions; a command line working on the store alone has none. */
  readonly onRevoked?: (tokenId: string) => void
  /** Tells running sessions and circuits what they may use now. */
  readonly onLimited?: (record: TokenRecord) => void
  /** Relayed today, counting what is not written down yet. */
  readonly usedToday?: (tokenId: string) => Promise<number>
}

export function createTokens({ storage, clock, randomBytes, onRevoked, onLimited, usedToday }: TokensDependencies): Tokens {
  const beingRevoked = new Set<string>()
  /** Limits changed since the start; at most one record per token. */
  const limited = new Map<string, TokenRecord>()
  // Calls that check a count and then insert go one after another, so that the count holds.
  let lastCreation: Promise<unknown> = Promise.resolve()

  const inTurn = <Result>(work: () => Promise<Result>): Promise<Result> => {
    const turn = lastCreation.then(work)
    lastCreation = turn.catch(() => {})
    return turn
  }

  const insert = async (options: TokenOptions, guest: boolean): Promise<CreatedToken> => {
    const token = formatBridgeToken(randomBytes(BRIDGE_TOKEN_BYTES))
    const record: TokenRecord = {
      ...NO_LIMITS,
      ...options,
      id: formatTokenId(randomBytes(ID_CHARACTERS)),
      hash: Buffer.from(hashToken(token)).toString('hex'),
      createdAt: clock(),
      guest,
      revokedAt: null,
    }
    await storage.tokens.insert(record)
    return { token, record }
  }

  const detailsOf = async (record: TokenRecord): Promise<TokenDetails> => ({
    record,
    state: tokenState(record, clock()),
    devices: await storage.devices.listByToken(record.id),
    bytesToday: await (usedToday?.(record.id) ?? storage.usage.get(record.id, utcDay(clock()))),
  })

  return {
    create: (options) =>
      inTurn(async () => {
        const label = options.label.trim()
        if (label === '' || label.length > MAX_LABEL_LENGTH || hasControlCharacter(label))
          throw new FootbridgeError('bad_request', `a label has 1 to ${MAX_LABEL_LENGTH} characters on one line`)
        const own = (await storage.tokens.list()).filter((token) => !token.guest)
        if (own.length >= MAX_TOKENS) throw new FootbridgeError('bridge_full', `this bridge has ${MAX_TOKENS} tokens, as many as it may`)
        return insert({ ...options, label }, false)
      }),

    list: async () => Promise.all((await storage.tokens.list()).map(detailsOf)),

    async show(id) {
      const record = await storage.tokens.get(id)
      return record === undefined ? undefined : detailsOf(record)
    },

    async revoke(id) {
      if ((await storage.tokens.get(id)) === undefined) return undefined
      beingRevoked.add(id)
      const record = await storage.tokens.revoke(id, clock())
      onRevoked?.(id)
      return record
    },

    limit: (id, changes) =>
      // In turn, because it reads, changes and writes.
      inTurn(async () => {
        const before = await storage.tokens.get(id)
        if (before === undefined) return undefined
        const record = await storage.tokens.setLimits(id, { ...before, ...changes })
        if (record === undefined) return undefined
        limited.set(id, record)
        onLimited?.(record)
        return record
      }),

    newest: (record) => limited.get(record.id) ?? record,

    isBeingRevoked: (id) => beingRevoked.has(id),

    ensureFirst: () =>
      inTurn(async () => {
        const isFresh = (await storage.tokens.list()).every((token) => token.guest)
        if (!isFresh) return undefined
        return insert({ label: 'first', maxDevices: FIRST_TOKEN_MAX_DEVICES, expiresAt: null }, false)
      }),

    createGuest: () =>
      inTurn(async () => {
        const now = clock()
        const guests = (await storage.tokens.list()).filter((token) => token.guest && tokenState(token, now) === 'active')
        if (guests.length >= MAX_GUESTS) throw new FootbridgeError('guests_full', 'this bridge has as many guests as it may')
        const options = {
          label: 'guest',
          expiresAt: now + GUEST_LIFE_MS,
          maxDevices: GUEST_MAX_DEVICES,
          maxReservations: GUEST_MAX_DEVICES,
          maxCircuits: GUEST_MAX_CIRCUITS,
          circuitsPerMinute: GUEST_CIRCUITS_PER_MINUTE,
          bytesPerDay: GUEST_BYTES_PER_DAY,
          bytesPerSecond: GUEST_BYTES_PER_SECOND,
        }
        return (await insert(options, true)).record
      }),

    createForDoctor: () => insert({ label: 'footbridge doctor', expiresAt: clock() + DOCTOR_TOKEN_LIFE_MS, maxDevices: 1 }, true),

    prune: () => storage.tokens.removeExpiredGuests(clock()),
  }
}

/** Revoked wins over expired: it is the operator's word. */
export function tokenState(token: TokenRecord, now: number): TokenState {
  if (token.revokedAt !== null) return 'revoked'
  return token.expiresAt !== null && token.expiresAt <= now ? 'expired' : 'active'
}

/** SHA-256 of the token's text. Fast on purpose: 256 random bits need no stretching. */
export function hashToken(token: BridgeToken): Uint8Array {
  return createHash('sha256').update(token, 'ascii').digest()
}

const ID_CHARACTERS = 8
/** 32 characters that are not mistaken for one another when read aloud: five bits each. */
const ID_ALPHABET = 'abcdefghijkmnpqrstuvwxyz23456789'

function formatTokenId(random: Uint8Array): string {
  return `t_${Array.from(random, (byte) => ID_ALPHABET[byte % ID_ALPHABET.length]).join('')}`
}

/** Labels are printed in terminals, where control characters are commands. */
function hasControlCharacter(text: string): boolean {
  return /\p{Cc}/u.test(text)
}
