/**
 * What the relay has done since it started, for each token and in all: read through one object, by `footbridge status` and by the metrics.
 * Bytes are entered when a circuit's lease is renewed or given back: at most one lease a circuit late.
 * Not here: what a token has used of its day (auth/budgets.ts).
 */
import { RELAY_LIMITS } from './limits.ts'
import { STATUS, type Status } from './wire.ts'

/** Why the relay ended a circuit that its ends and their connections had not ended. `peer`: the session of the other end is over. */
export type CutReason = 'bytes_per_day' | 'circuit_bytes' | 'duration' | 'peer' | 'draining'
export type StatusName = Exclude<keyof typeof STATUS, 'OK'>

export interface TrafficCounters {
  /** Held now. */
  readonly reservations: number
  readonly reservationsMade: number
  readonly reservationsRefused: Readonly<Partial<Record<StatusName, number>>>
  /** Ended by their time, not renewed. */
  readonly reservationsExpired: number
  /** Open now, those being set up included. */
  readonly circuits: number
  readonly circuitsOpened: number
  readonly circuitsRefused: Readonly<Partial<Record<StatusName, number>>>
  readonly circuitsCut: Readonly<Partial<Record<CutReason, number>>>
  /** Of a token: what its peers sent and received. In all: from those that asked for a circuit, and to them. */
  readonly bytesSent: number
  readonly bytesReceived: number
  /** How long circuits waited for a rate, summed over their directions. */
  readonly throttledMs: number
}

export interface RelayCounters {
  readonly total: TrafficCounters
  /** By token id: those of whose peers anything was seen since the start. */
  readonly tokens: ReadonlyMap<string, TrafficCounters>
}

type Mutable = { -readonly [Name in keyof TrafficCounters]: TrafficCounters[Name] extends number ? number : Record<string, number> }

/** What one fact changes: a number goes up by so much, a record at so many names by one. */
export interface Entry {
  readonly reservations?: 1 | -1
  readonly reservationsMade?: 1
  readonly reservationsRefused?: StatusName
  readonly reservationsExpired?: 1
  readonly circuits?: 1 | -1
  readonly circuitsOpened?: 1
  readonly circuitsRefused?: StatusName
  readonly circuitsCut?: CutReason
  readonly bytesSent?: number
  readonly bytesReceived?: number
  readonly throttledMs?: number
}

export interface Counters {
  /** Enters a fact in all. */
  count(entry: Entry): void
  /** Enters a fact for tokens; those of both ends when they differ. */
  countFor(tokenIds: Iterable<string>, entry: Entry): void
  read(): RelayCounters
  /** In all, without the tokens: costs the same however many there are. */
  readTotal(): TrafficCounters
}

export function createCounters(): Counters {
  const total = empty()
  const tokens = new Map<string, Mutable>()

  const ofToken = (id: string): Mutable => {
    let counters = tokens.get(id)
    if (counters !== undefined) return counters
    if (tokens.size >= RELAY_LIMITS.maxCountedTokens) forgetOne()
    tokens.set(id, (counters = empty()))
    return counters
  }

  /** The oldest that holds nothing now. */
  const forgetOne = (): void => {
    for (const [id, { reservations, circuits }] of tokens) {
      if (reservations > 0 || circuits > 0) continue
      tokens.delete(id)
      return
    }
  }

  return {
    count(entry) {
      enter(total, entry)
    },
    countFor(tokenIds, entry) {
      for (const id of tokenIds) enter(ofToken(id), entry)
    },
    readTotal: () => structuredClone(total),
    read: () => ({ total: structuredClone(total), tokens: new Map([...tokens].map(([id, each]) => [id, structuredClone(each)])) }),
  }
}

function empty(): Mutable {
  return {
    reservations: 0,
    reservationsMade: 0,
    reservationsRefused: {},
    reservationsExpired: 0,
    circuits: 0,
    circuitsOpened: 0,
    circuitsRefused: {},
    circuitsCut: {},
    bytesSent: 0,
    bytesReceived: 0,
    throttledMs: 0,
  }
}

function enter(counters: Mutable, entry: Entry): void {
  for (const [name, value] of Object.entries(entry) as [keyof Entry, number | string][]) {
    if (typeof value === 'number') (counters[name] as number) += value
    else {
      const record = counters[name] as Record<string, number>
      record[value] = (record[value] ?? 0) + 1
    }
  }
}

const NAMES = new Map(Object.entries(STATUS).map(([name, status]) => [status, name]))

export function statusName(status: Exclude<Status, 100>): StatusName {
  return NAMES.get(status) as StatusName
}
