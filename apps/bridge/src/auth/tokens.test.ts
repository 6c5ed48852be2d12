import { randomBytes } from 'node:crypto'
import { createMemoryStorage } from '@footbridge/storage/memory/memory-storage'
import { beforeEach, describe, expect, it } from 'vitest'
import { GUEST_LIFE_MS, MAX_GUESTS, MAX_LABEL_LENGTH } from '../limits.ts'
import { createTokens, type TokenOptions, type Tokens } from './tokens.ts'

const OPEN: TokenOptions = { label: 'alice', expiresAt: null, maxDevices: null, bytesPerDay: null, bytesPerSecond: null }

let now: number
let storage: ReturnType<typeof createMemoryStorage>
let tokens: Tokens
let revoked: string[]
let limited: string[]

beforeEach(() => {
  now = Date.UTC(2026, 10, 21)
  storage = createMemoryStorage()
  revoked = []
  limited = []
  tokens = createTokens({
    storage,
    clock: () => now,
    randomBytes,
    onRevoked: (id) => revoked.push(id),
    onLimited: ({ id }) => limited.push(id),
  })
})

describe('a new token', () => {
  it('is stored as a hash and nothing else of it', async () => {
    const { token, record } = await tokens.create(OPEN)
    expect(token).toMatch(/^fb1_[\w-]{43}$/)
    expect(record.id).toMatch(/^t_[a-z2-9]{8}$/)
    expect(JSON.stringify(await storage.tokens.list())).not.toContain(token.slice(4))
    expect(await storage.tokens.findByHash(record.hash)).toEqual(record)
  })

  it.each([
    ['', 'is empty'],
    ['   ', 'is only white space'],
    ['x'.repeat(MAX_LABEL_LENGTH + 1), 'is too long'],
    ['two\nlines', 'has a line break'],
    ['\u001b[2J', 'has a terminal command'],
  ])('is refused with the label %j, which %s', async (label) => {
    await expect(tokens.create({ ...OPEN, label })).rejects.toMatchObject({ code: 'bad_request' })
  })
})

describe('limits', () => {
  it('change as far as they are given, and whoever runs on them is told', async () => {
    const { record } = await tokens.create({ ...OPEN, maxDevices: 2, maxCircuits: 5 })
    expect(await tokens.limit(record.id, { bytesPerDay: 100, maxCircuits: null })).toEqual({
      ...record,
      bytesPerDay: 100,
      maxCircuits: null,
    })
    expect(limited).toEqual([record.id])
    expect((await tokens.show(record.id))?.record).toMatchObject({ maxDevices: 2, bytesPerDay: 100, maxCircuits: null })
    expect(await tokens.limit('t_nothing', { maxCircuits: 1 })).toBeUndefined()
    expect(limited).toHaveLength(1)
  })

  it('are all kept when two changes come at once', async () => {
    const { record } = await tokens.create(OPEN)
    await Promise.all([tokens.limit(record.id, { maxCircuits: 5 }), tokens.limit(record.id, { bytesPerDay: 7 })])
    expect((await tokens.show(record.id))?.record).toMatchObject({ maxCircuits: 5, bytesPerDay: 7 })
    expect(tokens.newest(record)).toMatchObject({ maxCircuits: 5, bytesPerDay: 7 })
  })
})

describe('the first token', () => {
  it('is made once, however often and at once it is asked for', async () => {
    const made = await Promise.all([tokens.ensureFirst(), tokens.ensureFirst()])
    expect(made.filter((created) => created !== undefined)).toHaveLength(1)
    expect(await tokens.ensureFirst()).toBeUndefined()
  })

  it('is not made again after the operator revoked it', async () => {
    const first = await tokens.ensureFirst()
    await tokens.revoke(first!.record.id)
    expect(await tokens.ensureFirst()).toBeUndefined()
  })

  it('is made although guests were here before', async () => {
    await tokens.createGuest()
    expect(await tokens.ensureFirst()).toBeDefined()
  })
})

describe('guests', () => {
  it('are as many as the bridge may have, also when they come at once, and expired ones make room', async () => {
    const results = await Promise.allSettled(Array.from({ length: MAX_GUESTS + 3 }, () => tokens.createGuest()))
    const refused = results.filter((result) => result.status === 'rejected')
    expect(refused.map(({ reason }) => reason.code)).toEqual(['guests_full', 'guests_full', 'guests_full'])
    now += GUEST_LIFE_MS
    await tokens.createGuest()
    now += 1
    expect(await tokens.prune()).toBe(MAX_GUESTS)
    expect(await tokens.list()).toHaveLength(1)
  })
})

describe('a revocation', () => {
  it('is told once it is written, and is known from its beginning', async () => {
    const { record } = await tokens.create(OPEN)
    const revoking = tokens.revoke(record.id)
    expect(revoked).toEqual([])
    expect((await revoking)?.revokedAt).toBe(now)
    expect(revoked).toEqual([record.id])
    expect(tokens.isBeingRevoked(record.id)).toBe(true)
    expect((await tokens.show(record.id))?.state).toBe('revoked')
  })

  it('of nothing gives nothing', async () => {
    expect(await tokens.revoke('t_nothing')).toBeUndefined()
    expect(revoked).toEqual([])
  })
})

it('a token’s details count its devices and what it relayed today', async () => {
  const { record } = await tokens.create({ ...OPEN, expiresAt: now + 10 })
  await storage.devices.enrol({ peer: 'alice', tokenId: record.id, name: '', enrolledAt: now, lastSeenAt: now }, null)
  await storage.usage.add(record.id, '2026-11-21', 5)
  await storage.usage.add(record.id, '2026-11-20', 7)
  expect(await tokens.show(record.id)).toMatchObject({ state: 'active', bytesToday: 5, devices: [{ peer: 'alice' }] })
  now += 10
  expect((await tokens.list())[0]?.state).toBe('expired')
})
