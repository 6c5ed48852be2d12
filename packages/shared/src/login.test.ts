/** The signed bytes of a login, against the layout in docs/protocol.md and a fixed vector. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeLoginStatement, type LoginStatement } from './login.ts'

const vector: LoginStatement = {
  bridge: Uint8Array.of(0xb1, 0xb2, 0xb3),
  credential: 'token',
  tokenHash: new Uint8Array(32).fill(0x77),
  timestamp: 1_700_000_000_000,
  nonce: new Uint8Array(16).fill(0x99),
}

test('the statement is laid out as documented', () => {
  expect(Buffer.from(encodeLoginStatement(vector)).toString('hex')).toBe(
    `${Buffer.from('footbridge-login-1').toString('hex')}03b1b2b301${'77'.repeat(32)}0000018bcfe56800${'99'.repeat(16)}`,
  )
})

const statement = fc
  .record({
    bridge: fc.uint8Array({ minLength: 1, maxLength: 255 }),
    timestamp: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
    nonce: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  })
  .chain((base) =>
    fc.oneof(
      fc.constant({ ...base, credential: 'device' as const }),
      fc.constant({ ...base, credential: 'guest' as const }),
      fc.uint8Array({ minLength: 32, maxLength: 32 }).map((tokenHash) => ({ ...base, credential: 'token' as const, tokenHash })),
    ),
  )

test('two different statements never share their bytes', () => {
  fc.assert(
    fc.property(statement, statement, (one, other) => {
      const same = Buffer.from(encodeLoginStatement(one)).equals(encodeLoginStatement(other))
      expect(same).toBe(JSON.stringify(describe(one)) === JSON.stringify(describe(other)))
    }),
  )
})

test('changing any one field changes the bytes', () => {
  const changed: LoginStatement[] = [
    { ...vector, bridge: Uint8Array.of(0xb1, 0xb2, 0xb4) },
    { ...vector, credential: 'device', tokenHash: undefined },
    { ...vector, tokenHash: new Uint8Array(32).fill(0x78) },
    { ...vector, timestamp: vector.timestamp + 1 },
    { ...vector, nonce: new Uint8Array(16).fill(0x98) },
  ]
  const encodings = new Set([vector, ...changed].map((each) => Buffer.from(encodeLoginStatement(each)).toString('hex')))
  expect(encodings.size).toBe(changed.length + 1)
})

test('a token hash without the token credential, and the other way round, is a mistake of the caller', () => {
  expect(() => encodeLoginStatement({ ...vector, credential: 'guest' })).toThrow(RangeError)
  expect(() => encodeLoginStatement({ ...vector, tokenHash: undefined })).toThrow(RangeError)
})

function describe(value: LoginStatement): unknown {
  return [value.credential, value.timestamp, [...value.bridge], [...value.nonce], [...(value.tokenHash ?? [])]]
}
