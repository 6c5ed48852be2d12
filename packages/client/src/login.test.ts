import { generateKeyPair, publicKeyFromProtobuf } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey, peerIdFromString } from '@libp2p/peer-id'
import { encodeLoginStatement, loginRequestSchema, type LoginRequest } from '@footbridge/shared/login'
import { base64urlDecode, utf8Encode } from '@footbridge/shared/text-codec'
import * as v from 'valibot'
import { expect, test } from 'vitest'
import { fetchBridge, logIn, type LoginInput } from './login.ts'

const bridgePeer = peerIdFromPrivateKey(await generateKeyPair('Ed25519')).toString()
const key = await generateKeyPair('Ed25519')
const input: LoginInput = { bridgePeer, key, credential: { kind: 'token', token: 'fb1_secret' }, name: 'Alice', visibility: 'nobody' }

const session = {
  peer: 'alice',
  bridge: { peer: bridgePeer, name: 'Bridge', version: '1' },
  accessToken: 'jwt',
  serverTime: 0,
  expiresAt: 1,
  firstHops: [],
  relayAddresses: [],
  iceServers: [],
  token: { id: 't', label: '', guest: false, limits: { expiresAt: null, devices: null, bytesPerDay: null, bytesPerSecond: null } },
}
const problem = (status: number, code: string, more: object = {}): Response =>
  Response.json({ type: 'about:blank', title: 'no', status, code, ...more }, { status })

/** A bridge of one answer after another, keeping what it was asked. */
function bridge(...answers: (Response | Error)[]): {
  fetch: typeof fetch
  asked: { url: string; body: LoginRequest; init: RequestInit }[]
} {
  const asked: { url: string; body: LoginRequest; init: RequestInit }[] = []
  return {
    asked,
    fetch: async (url, init) => {
      asked.push({
        url: url instanceof Request ? url.url : url.toString(),
        body: typeof init?.body === 'string' ? JSON.parse(init.body) : undefined,
        init: init ?? {},
      })
      const answer = answers.shift()
      if (answer instanceof Error || answer === undefined) throw answer ?? new TypeError('asked too often')
      return answer
    },
  }
}
const at = (fake: { fetch: typeof fetch }) => ({ bridgeUrl: 'https://bridge.example', fetch: fake.fetch, now: () => 1_700_000_000_000 })

test('a login is signed over exactly what docs/protocol.md says', async () => {
  const fake = bridge(Response.json(session, { status: 201 }))
  expect(await logIn(at(fake), input)).toEqual(session)
  const { body, url, init } = fake.asked[0] ?? {}
  expect(url).toBe('https://bridge.example/api/v1/sessions')
  expect(init?.credentials, 'no cookies').toBe('omit')
  const request = v.parse(loginRequestSchema, body)
  const statement = encodeLoginStatement({
    bridge: peerIdFromString(bridgePeer).toMultihash().bytes,
    credential: 'token',
    tokenHash: new Uint8Array(await crypto.subtle.digest('SHA-256', utf8Encode('fb1_secret'))),
    timestamp: 1_700_000_000_000,
    nonce: base64urlDecode(request.nonce) ?? new Uint8Array(),
  })
  const publicKey = publicKeyFromProtobuf(base64urlDecode(request.publicKey) ?? new Uint8Array())
  expect(publicKey.equals(key.publicKey)).toBe(true)
  expect(await publicKey.verify(statement, base64urlDecode(request.signature) ?? new Uint8Array())).toBe(true)
})

test('a clock that is off is corrected by the bridge once', async () => {
  const fake = bridge(problem(401, 'clock_skew', { serverTime: 42 }), Response.json(session))
  await logIn(at(fake), input)
  expect(fake.asked.map(({ body }) => body.timestamp)).toEqual([1_700_000_000_000, 42])
  const stubborn = bridge(problem(401, 'clock_skew', { serverTime: 42 }), problem(401, 'clock_skew', { serverTime: 42 }))
  await expect(logIn(at(stubborn), input)).rejects.toMatchObject({ code: 'clock_skew' })
})

test.each<[Response | TypeError, string, string]>([
  [problem(403, 'token_revoked'), 'token_revoked', 'a refusal keeps its code'],
  [problem(429, 'rate_limited', { retryAfterSeconds: 30 }), 'rate_limited', 'and its patience'],
  [new TypeError('fetch failed'), 'unreachable', 'nobody answers'],
  [new Response('<html>', { status: 502 }), 'unreachable', 'a proxy answers for a bridge that is away'],
  [new Response('<html>', { status: 200 }), 'not_a_bridge', 'a web page answers'],
  [Response.json({ hello: 'world' }), 'not_a_bridge', 'another API answers'],
  [Response.json({ code: 'made_up' }, { status: 400 }), 'not_a_bridge', 'a refusal that is not ours'],
])('an answer is told apart: %# %s → %s (%s)', async (answer, code) => {
  await expect(logIn(at(bridge(answer)), input)).rejects.toMatchObject({ code })
})

test('the patience that a bridge asks for is in the error', async () => {
  const limited = bridge(problem(429, 'rate_limited', { retryAfterSeconds: 30 }))
  await expect(logIn(at(limited), input)).rejects.toMatchObject({ details: { retryAfterSeconds: 30 } })
})

test('a login can be called off', async () => {
  const stop = new AbortController()
  const asked = fetchBridge({ ...at(bridge()), fetch: () => new Promise(() => undefined) }, stop.signal)
  stop.abort()
  await expect(asked).rejects.toMatchObject({ code: 'aborted' })
})
