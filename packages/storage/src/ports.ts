/**
 * What the bridge keeps, as ports: tokens, devices, usage, settings. Everything here survives a restart; nothing here is a secret in clear.
 * Adapters: memory/ (tests), sqlite/ (the default). Each runs the suite in contract/.
 * Not here: sessions and presence; they live in memory and end with the process.
 */

/** What a token's devices may use together; the operator may change it while they do. `null` means no limit. */
export interface TokenLimits {
  /** How many devices it may enrol. */
  readonly maxDevices: number | null
  /** Virtual peers at once. */
  readonly maxReservations: number | null
  /** Circuits at once. */
  readonly maxCircuits: number | null
  readonly circuitsPerMinute: number | null
  /** Relayed, both directions. */
  readonly bytesPerDay: number | null
  readonly bytesPerSecond: number | null
}

/** A token as the operator made it. Times are milliseconds since the epoch. */
export interface TokenRecord extends TokenLimits {
  /** Public handle, `t_` and 8 characters: for lists, logs and commands. */
  readonly id: string
  /** SHA-256 of the token's text, lower-case hex. The text itself is not kept. */
  readonly hash: string
  readonly label: string
  readonly createdAt: number
  /** `null`: never. */
  readonly expiresAt: number | null
  /** Made by the bridge for a visitor without a token. */
  readonly guest: boolean
  readonly revokedAt: number | null
}

/** A PeerID that a token has enrolled. One PeerID belongs to one token: the last it enrolled with. */
export interface DeviceRecord {
  readonly peer: string
  readonly tokenId: string
  readonly name: string
  readonly enrolledAt: number
  readonly lastSeenAt: number
}

export interface TokenStore {
  /** @throws when the id or the hash is taken. */
  insert(token: TokenRecord): Promise<void>
  get(id: string): Promise<TokenRecord | undefined>
  findByHash(hash: string): Promise<TokenRecord | undefined>
  /** Oldest first. */
  list(): Promise<TokenRecord[]>
  /** Keeps the first revocation's time. @returns the record afterwards, or undefined when there is none. */
  revoke(id: string, at: number): Promise<TokenRecord | undefined>
  /** @returns the record afterwards, or undefined when there is none. */
  setLimits(id: string, limits: TokenLimits): Promise<TokenRecord | undefined>
  /** Removes guest tokens that expired before `before`, with their devices and usage. @returns how many. */
  removeExpiredGuests(before: number): Promise<number>
}

export type EnrolResult = 'enrolled' | 'known' | 'full'

export interface DeviceStore {
  /**
   * Atomically: `known` (name and lastSeenAt updated) when this token has this peer already; else `full` when the token has `maxDevices` others;
   * else `enrolled`, moving the peer away from another token if it had one.
   * @throws when there is no such token.
   */
  enrol(device: DeviceRecord, maxDevices: number | null): Promise<EnrolResult>
  get(peer: string): Promise<DeviceRecord | undefined>
  /** Oldest first. */
  listByToken(tokenId: string): Promise<DeviceRecord[]>
  remove(peer: string): Promise<void>
}

export interface UsageStore {
  /** Adds to what the token relayed on that UTC day. @param day `YYYY-MM-DD`. @returns the day's total afterwards; 0 when there is no such token. */
  add(tokenId: string, day: string, bytes: number): Promise<number>
  get(tokenId: string, day: string): Promise<number>
  /** @param day days before this one are forgotten. */
  removeBefore(day: string): Promise<void>
}

/** What the operator set while the bridge ran: texts by name. */
export interface SettingStore {
  get(name: string): Promise<string | undefined>
  set(name: string, value: string): Promise<void>
}

export interface Storage {
  readonly tokens: TokenStore
  readonly devices: DeviceStore
  readonly usage: UsageStore
  readonly settings: SettingStore
  /** Idempotent. */
  close(): Promise<void>
}
