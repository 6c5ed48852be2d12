/**
 * How much each payer (a token, or a peer without a session) hands to the bridge to pass on: two token buckets each, of messages and of bytes, and what it
 * was given in all. Pure but for the clock.
 */
import {
  BYTE_BURST_OF_PEER,
  BYTE_BURST_OF_TOKEN,
  BYTES_PER_SECOND_OF_PEER,
  BYTES_PER_SECOND_OF_TOKEN,
  MAX_PAYERS,
  MESSAGE_BURST_OF_PEER,
  MESSAGE_BURST_OF_TOKEN,
  MESSAGES_PER_SECOND_OF_PEER,
  MESSAGES_PER_SECOND_OF_TOKEN,
} from './limits.ts'

export interface Payer {
  readonly kind: 'token' | 'peer'
  readonly id: string
}

export interface GossipUse {
  readonly messages: number
  readonly bytes: number
  /** Messages above the limit, which were not passed on. */
  readonly dropped: number
}

export interface Rates {
  /** @param pays asked once the rates allow it. @returns whether the message may be passed on; it is counted either way */
  take(payer: Payer, bytes: number, pays?: () => boolean): boolean
  /** Since the payer was first seen, or seen again after it was forgotten. */
  use(payer: Payer): GossipUse
  total(): GossipUse
}

interface Account {
  messagesLeft: number
  bytesLeft: number
  at: number
  messages: number
  bytes: number
  dropped: number
}

const LIMITS = {
  token: {
    messages: MESSAGES_PER_SECOND_OF_TOKEN,
    messageBurst: MESSAGE_BURST_OF_TOKEN,
    bytes: BYTES_PER_SECOND_OF_TOKEN,
    byteBurst: BYTE_BURST_OF_TOKEN,
  },
  peer: {
    messages: MESSAGES_PER_SECOND_OF_PEER,
    messageBurst: MESSAGE_BURST_OF_PEER,
    bytes: BYTES_PER_SECOND_OF_PEER,
    byteBurst: BYTE_BURST_OF_PEER,
  },
} as const

export function createRates(clock: () => number, maxPayers = MAX_PAYERS): Rates {
  /** In the order in which they were last used. */
  const accounts = new Map<string, Account>()
  const all = { messages: 0, bytes: 0, dropped: 0 }
  const keyOf = ({ kind, id }: Payer): string => `${kind}:${id}`

  const refill = (payer: Payer): Account => {
    const key = keyOf(payer)
    const limit = LIMITS[payer.kind]
    const at = clock()
    const account = accounts.get(key) ?? {
      messagesLeft: limit.messageBurst,
      bytesLeft: limit.byteBurst,
      at,
      messages: 0,
      bytes: 0,
      dropped: 0,
    }
    const seconds = Math.max(0, at - account.at) / 1000
    account.messagesLeft = Math.min(limit.messageBurst, account.messagesLeft + seconds * limit.messages)
    account.bytesLeft = Math.min(limit.byteBurst, account.bytesLeft + seconds * limit.bytes)
    account.at = at
    accounts.delete(key)
    accounts.set(key, account)
    for (const oldest of accounts.keys()) {
      if (accounts.size <= maxPayers) break
      accounts.delete(oldest)
    }
    return account
  }

  return {
    take(payer, bytes, pays = () => true) {
      const account = refill(payer)
      if (account.messagesLeft < 1 || account.bytesLeft < bytes || !pays()) {
        account.dropped++
        all.dropped++
        return false
      }
      account.messagesLeft--
      account.bytesLeft -= bytes
      account.messages++
      account.bytes += bytes
      all.messages++
      all.bytes += bytes
      return true
    },
    use(payer) {
      const { messages, bytes, dropped } = accounts.get(keyOf(payer)) ?? { messages: 0, bytes: 0, dropped: 0 }
      return { messages, bytes, dropped }
    },
    total: () => ({ ...all }),
  }
}
