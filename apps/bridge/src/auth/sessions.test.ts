import { randomBytes } from 'node:crypto'
import { generateKeyPair, publicKeyToProtobuf } from '@libp2p/crypto/keys'
import type { Ed25519PrivateKey } from '@libp2p/interface'
import { parseBridgeToken, type BridgeToken } from '@footbridge/shared/bridge-token'
import type { ErrorCode } from '@footbridge/shared/errors'
import { LOGIN_CLOCK_TOLERANCE_MS } from '@footbridge/shared/limits'
import { encodeLoginStatement, sessionAnswerSchema, type LoginRequest } from '@footbridge/shared/login'
import { base64urlEncode } from '@footbridge/shared/text-codec'
import { createMemoryStorage } from '@footbridge/storage/memory/memory-storage'
import { SignJWT } from 'jose'
import * as v from 'valibot'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { GUEST_BYTES_PER_DAY, GUEST_LIFE_MS, LOGIN_POINTS_PER_ADDRESS, LOGIN_REFUSAL_POINTS, SESSION_LIFE_MS } from '../limits.ts'
import type { EndReason, Grant, GrantLimits, Session } from '../peers/session.ts'
import { createBudgets } from './budgets.ts'
import { createRateLimits } from './rate-limits.ts'
import { createSessions, grantLimits, type Sessions } from './sessions.ts'
import { createTokens, hashToken, type TokenOptions, type Tokens } from './tokens.ts'

const OPEN: TokenOptions = { label: 'reading group', expiresAt: null, maxDevices: null, bytesPerDay: null, bytesPerSecond: null }
const FROM = { ip: '192.0.2.1', origin: 'https://bridge.example' }
const random = (length: number): Uint8Array => new Uint8Array(randomBytes(length))

let bridge: Ed25519PrivateKey
let alice: Ed25519PrivateKey
let bob: Ed25519PrivateKey
let charlie: Ed25519PrivateKey
beforeAll(async () => {
  const keys = await Promise.all(Array.from({ length: 4 }, () => generateKeyPair('Ed25519')))
  ;[bridge, alice, bob, charlie] = keys as [Ed25519PrivateKey, Ed25519PrivateKey, Ed25519PrivateKey, Ed25519PrivateKey]
})

/** The registry's front door, with nothing behind it. */
function createRegistry() {
  const sessions = new Map<string, Session>()
  return {
    admit: (grant: Grant) =>
      void sessions.set(grant.peer, { state: 'admitted', grant, since: 0, name: grant.name, device: 'browser', visibility: 'bridge' }),
    get: (peer: string) => sessions.get(peer),
    end: (peer: string, _reason: EndReason) => void sessions.delete(peer),
    endByToken(tokenId: string) {
      for (const [peer, { grant }] of sessions) if (grant.tokenId === tokenId) sessions.delete(peer)
    },
    limitToken(tokenId: string, limits: GrantLimits) {
      for (const [peer, session] of sessions)
        if (session.grant.tokenId === tokenId) sessions.set(peer, { ...session, grant: { ...session.grant, ...limits } })
    },
  }
}

let now: number
let storage: ReturnType<typeof createMemoryStorage>
let registry: ReturnType<typeof createRegistry>
let tokens: Tokens
let sessions: Sessions

function open(guests = false): void {
  const clock = (): number => now
  storage = createMemoryStorage()
  registry = createRegistry()
  tokens = createTokens({
    storage,
    clock,
    randomBytes: random,
    onRevoked: (id) => registry.endByToken(id),
    onLimited: (record) => registry.limitToken(record.id, grantLimits(record)),
  })
  sessions = createSessions({
    storage,
    tokens,
    budgets: createBudgets({ storage, clock }),
    rateLimits: createRateLimits({ randomBytes: random }),
    registry,
    privateKey: bridge,
    addresses: { firstHops: (origin) => [`first hop at ${origin}`], relayAddresses: () => ['relay address'] },
    settings: { name: 'Footbridge', version: '0.0.0', guests },
    iceServers: () => [],
    clock,
    randomBytes: random,
  })
}

beforeEach(() => {
  now = Date.UTC(2026, 10, 21)
  open()
})

interface LoginFields {
  credential: LoginRequest['credential']
  timestamp?: number
  nonce?: Uint8Array
  name?: string
  forBridge?: Ed25519PrivateKey
}

async function sign(
  key: Ed25519PrivateKey,
  { credential, timestamp = now, nonce = random(16), name, forBridge = bridge }: LoginFields,
): Promise<LoginRequest> {
  const token = credential.kind === 'token' ? parseBridgeToken(credential.token) : undefined
  const tokenHash = credential.kind === 'token' ? (token === undefined ? new Uint8Array(32) : hashToken(token)) : undefined
  const statement = encodeLoginStatement({
    bridge: forBridge.publicKey.toMultihash().bytes,
    credential: credential.kind,
    tokenHash,
    timestamp,
    nonce,
  })
  return {
    credential,
    publicKey: base64urlEncode(publicKeyToProtobuf(key.publicKey)),
    timestamp,
    nonce: base64urlEncode(nonce),
    signature: base64urlEncode(await key.sign(statement)),
    ...(name === undefined ? {} : { name }),
  }
}

const peerOf = (key: Ed25519PrivateKey): string => key.publicKey.toString()
const withToken = (token: BridgeToken | string): LoginFields => ({ credential: { kind: 'token', token } })
const asDevice: LoginFields = { credential: { kind: 'device' } }
const asGuest: LoginFields = { credential: { kind: 'guest' } }
const login = async (key: Ed25519PrivateKey, fields: LoginFields) => sessions.login(await sign(key, fields), FROM)
const refusal = (code: ErrorCode, details: object = {}) => expect.objectContaining({ code, details: expect.objectContaining(details) })

describe('a login with a token', () => {
  it('answers everything needed to connect, and admits the peer', async () => {
    const { token, record } = await tokens.create({ ...OPEN, maxDevices: 2, bytesPerDay: 1_000, bytesPerSecond: 10 })
    const answer = await login(alice, { ...withToken(token), name: 'Alice’s phone' })
    expect(v.parse(sessionAnswerSchema, answer)).toEqual(answer)
    expect(answer).toMatchObject({
      peer: peerOf(alice),
      bridge: { peer: peerOf(bridge) },
      expiresAt: now + SESSION_LIFE_MS,
      serverTime: now,
      firstHops: ['first hop at https://bridge.example'],
      token: { id: record.id, guest: false, limits: { devices: 2, bytesPerDay: 1_000, bytesPerSecond: 10, expiresAt: null } },
    })
    expect(registry.get(peerOf(alice))?.grant).toEqual({
      peer: peerOf(alice),
      tokenId: record.id,
      tokenLabel: 'reading group',
      guest: false,
      name: 'Alice’s phone',
      expiresAt: answer.expiresAt,
      maxReservations: null,
      maxCircuits: null,
      circuitsPerMinute: null,
      bytesPerDay: 1_000,
      bytesPerSecond: 10,
    })
  })

  it('lets the device come again with nothing but its signature, and keeps its name', async () => {
    const { token } = await tokens.create({ ...OPEN, maxDevices: 1 })
    await login(alice, { ...withToken(token), name: 'Alice’s phone' })
    await login(alice, asDevice)
    expect(registry.get(peerOf(alice))?.grant.name).toBe('Alice’s phone')
  })

  it('ends with the token when that is sooner than the hour', async () => {
    const { token } = await tokens.create({ ...OPEN, expiresAt: now + 5_000 })
    expect((await login(alice, withToken(token))).expiresAt).toBe(now + 5_000)
  })

  it('is refused as token_unknown for a token of nobody and for what is no token', async () => {
    const { token } = await tokens.create(OPEN)
    await expect(login(alice, withToken(`${token.slice(0, -4)}AAAA`))).rejects.toEqual(refusal('token_unknown'))
    await expect(login(alice, withToken('let me in'))).rejects.toEqual(refusal('token_unknown'))
  })

  it('is refused as token_expired from the moment of expiry', async () => {
    const { token } = await tokens.create({ ...OPEN, expiresAt: now + 5_000 })
    now += 4_999
    await login(alice, withToken(token))
    now += 1
    await expect(login(alice, withToken(token))).rejects.toEqual(refusal('token_expired'))
    await expect(login(alice, asDevice)).rejects.toEqual(refusal('token_expired'))
  })

  it('is refused as token_revoked, and the sessions it had are ended', async () => {
    const { token, record } = await tokens.create(OPEN)
    await login(alice, withToken(token))
    await tokens.revoke(record.id)
    expect(registry.get(peerOf(alice))).toBeUndefined()
    await expect(login(alice, withToken(token))).rejects.toEqual(refusal('token_revoked'))
    await expect(login(alice, asDevice)).rejects.toEqual(refusal('token_revoked'))
  })

  it('does not slip past a revocation that comes while it is under way', async () => {
    const { token, record } = await tokens.create(OPEN)
    const request = await sign(alice, withToken(token))
    for (let delay = 0; delay < 30; delay++) {
      open()
      await storage.tokens.insert(record)
      const attempt = sessions.login(request, FROM).catch(() => {})
      for (let turn = 0; turn < delay; turn++) await Promise.resolve()
      await tokens.revoke(record.id)
      await attempt
      expect(registry.get(peerOf(alice)), `revoked after ${delay} turns`).toBeUndefined()
    }
  })

  it('brings no old limits when they change while it is under way', async () => {
    const { token, record } = await tokens.create({ ...OPEN, maxCircuits: 1 })
    const request = await sign(alice, withToken(token))
    for (let delay = 0; delay < 30; delay++) {
      open()
      await storage.tokens.insert(record)
      const attempt = sessions.login(request, FROM)
      for (let turn = 0; turn < delay; turn++) await Promise.resolve()
      await tokens.limit(record.id, { maxCircuits: 2 })
      await attempt
      expect(registry.get(peerOf(alice))?.grant.maxCircuits, `changed after ${delay} turns`).toBe(2)
    }
  })

  it('is refused as token_devices_full for one device too many, while those enrolled come and go', async () => {
    const { token } = await tokens.create({ ...OPEN, maxDevices: 2 })
    await login(alice, withToken(token))
    await login(bob, withToken(token))
    await expect(login(charlie, withToken(token))).rejects.toEqual(refusal('token_devices_full'))
    await login(alice, withToken(token))
    await login(bob, asDevice)
  })
})

describe('a login as an enrolled device', () => {
  it('is refused as device_unknown when the device was never here', async () => {
    await expect(login(alice, asDevice)).rejects.toEqual(refusal('device_unknown'))
  })
})

describe('a login as a guest', () => {
  it('is refused as guests_off unless the operator lets guests in', async () => {
    await expect(login(alice, asGuest)).rejects.toEqual(refusal('guests_off'))
  })

  it('makes a small token for a day, and finds it again', async () => {
    open(true)
    const first = await login(alice, asGuest)
    expect(first.token).toMatchObject({
      guest: true,
      limits: { expiresAt: now + GUEST_LIFE_MS, devices: 1, bytesPerDay: GUEST_BYTES_PER_DAY },
    })
    const second = await login(alice, asGuest)
    expect(second.token.id).toBe(first.token.id)
    expect((await login(bob, asGuest)).token.id).not.toBe(first.token.id)
  })

  it('makes a new token when the day is over', async () => {
    open(true)
    const first = await login(alice, asGuest)
    now += GUEST_LIFE_MS
    expect((await login(alice, asGuest)).token.id).not.toBe(first.token.id)
  })

  it('leaves a device its better token', async () => {
    open(true)
    const { token, record } = await tokens.create(OPEN)
    await login(alice, withToken(token))
    expect((await login(alice, asGuest)).token.id).toBe(record.id)
  })
})

describe('a signed login', () => {
  it('is good once', async () => {
    const { token } = await tokens.create(OPEN)
    const request = await sign(alice, withToken(token))
    await sessions.login(request, FROM)
    await expect(sessions.login(request, FROM)).rejects.toEqual(refusal('replayed'))
    now += LOGIN_CLOCK_TOLERANCE_MS + 1
    await expect(sessions.login(request, FROM)).rejects.toEqual(refusal('clock_skew', { serverTime: now }))
  })

  it('is good once when both copies arrive together', async () => {
    const { token } = await tokens.create(OPEN)
    const request = await sign(alice, withToken(token))
    const results = await Promise.allSettled([sessions.login(request, FROM), sessions.login(request, FROM)])
    expect(results.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
  })

  it.each([-1, 1])('may be off by the tolerance and no more (direction %i)', async (direction) => {
    const { token } = await tokens.create(OPEN)
    const off = direction * LOGIN_CLOCK_TOLERANCE_MS
    await login(alice, { ...withToken(token), timestamp: now + off })
    await expect(login(alice, { ...withToken(token), timestamp: now + off + direction })).rejects.toEqual(
      refusal('clock_skew', { serverTime: now }),
    )
  })

  it('is refused when any signed field was changed', async () => {
    const { token } = await tokens.create(OPEN)
    const { token: otherToken } = await tokens.create(OPEN)
    const request = await sign(alice, withToken(token))
    const changes: Partial<LoginRequest>[] = [
      { timestamp: now + 1 },
      { nonce: base64urlEncode(random(16)) },
      { credential: { kind: 'token', token: otherToken } },
      { credential: { kind: 'device' } },
      { credential: { kind: 'guest' } },
      { publicKey: base64urlEncode(publicKeyToProtobuf(bob.publicKey)) },
      { signature: base64urlEncode(random(64)) },
      { signature: 'AA' },
    ]
    for (const change of changes)
      await expect(sessions.login({ ...request, ...change }, FROM), JSON.stringify(Object.keys(change))).rejects.toEqual(
        refusal('signature_invalid'),
      )
    await sessions.login(request, FROM)
  })

  it('is refused when it was made for another bridge', async () => {
    const { token } = await tokens.create(OPEN)
    await expect(login(alice, { ...withToken(token), forBridge: charlie })).rejects.toEqual(refusal('signature_invalid'))
  })

  it('is refused as bad_request for a key of another kind or none, and for a nonce of another length', async () => {
    const { token } = await tokens.create(OPEN)
    const request = await sign(alice, withToken(token))
    const other = await generateKeyPair('secp256k1')
    for (const publicKey of ['AAAA', base64urlEncode(random(36)), base64urlEncode(publicKeyToProtobuf(other.publicKey))])
      await expect(sessions.login({ ...request, publicKey }, FROM)).rejects.toEqual(refusal('bad_request'))
    await expect(sessions.login({ ...request, nonce: 'AAAA' }, FROM)).rejects.toEqual(refusal('bad_request'))
  })
})

describe('attempts', () => {
  it('are refused as rate_limited after too many refusals, per address', async () => {
    const { token } = await tokens.create(OPEN)
    const wrong = withToken('fb1_wrong')
    for (let attempt = 0; attempt < LOGIN_POINTS_PER_ADDRESS / LOGIN_REFUSAL_POINTS; attempt++)
      await expect(login(alice, wrong)).rejects.toEqual(refusal('token_unknown'))
    await expect(login(alice, withToken(token))).rejects.toEqual(refusal('rate_limited', { retryAfterSeconds: expect.any(Number) }))
    await sessions.login(await sign(alice, withToken(token)), { ...FROM, ip: '192.0.2.2' })
  })
})

describe('an access token', () => {
  it('is good while its session lives', async () => {
    const { token, record } = await tokens.create(OPEN)
    const { accessToken } = await login(alice, withToken(token))
    expect(await sessions.verifyAccessToken(accessToken)).toMatchObject({
      iss: peerOf(bridge),
      sub: peerOf(alice),
      cnf: { peer: peerOf(alice) },
      token: record.id,
      exp: (now + SESSION_LIFE_MS) / 1_000,
    })
    sessions.logout(peerOf(alice))
    expect(await sessions.verifyAccessToken(accessToken)).toBeUndefined()
  })

  it('is not good after the session’s end, though the registry still has it', async () => {
    const { token } = await tokens.create(OPEN)
    const { accessToken } = await login(alice, withToken(token))
    now += SESSION_LIFE_MS
    expect(await sessions.verifyAccessToken(accessToken)).toBeUndefined()
  })

  it('of one bridge token is not good for a session with another', async () => {
    const first = await tokens.create(OPEN)
    const second = await tokens.create(OPEN)
    const { accessToken } = await login(alice, withToken(first.token))
    await login(alice, withToken(second.token))
    expect(await sessions.verifyAccessToken(accessToken)).toBeUndefined()
  })

  it('is refused when forged, of another type, or without a signature', async () => {
    const { token } = await tokens.create(OPEN)
    const { accessToken } = await login(alice, withToken(token))
    const [header = '', payload = '', signature = ''] = accessToken.split('.')
    const none = base64urlEncode(new TextEncoder().encode('{"alg":"none","typ":"at+jwt"}'))
    const hmac = await new SignJWT(JSON.parse(Buffer.from(payload, 'base64url').toString()))
      .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt' })
      .sign(bridge.publicKey.raw)
    for (const forged of [
      '',
      'x.y.z',
      `${none}.${payload}.`,
      hmac,
      `${header}.${payload}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`,
      `${header}.${payload}`,
    ])
      expect(await sessions.verifyAccessToken(forged)).toBeUndefined()
  })
})

describe('the current session', () => {
  it('says what the token allows and has used today', async () => {
    const { token } = await tokens.create({ ...OPEN, bytesPerDay: 1_000 })
    await login(alice, withToken(token))
    expect(await sessions.current(peerOf(alice))).toMatchObject({
      peer: peerOf(alice),
      bytesToday: 0,
      token: { limits: { bytesPerDay: 1_000 } },
    })
    sessions.logout(peerOf(alice))
    await expect(sessions.current(peerOf(alice))).rejects.toEqual(refusal('unauthorized'))
  })
})
