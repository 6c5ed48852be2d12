/** The API as any program meets it, through `app.request` with real sessions behind it, and over a port where the bytes on the wire matter. */
import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { SessionAnswer } from '@footbridge/shared/login'
import { createWebSocketListener } from '@footbridge/listeners/websocket/websocket-listener'
import { createMemoryStorage } from '@footbridge/storage/memory/memory-storage'
import type { IncomingMessage } from 'node:http'
import { Hono } from 'hono'
import { beforeAll, describe, expect, it } from 'vitest'
import { createBudgets } from './auth/budgets.ts'
import { createRateLimits } from './auth/rate-limits.ts'
import { createAuthRoutes } from './auth/routes.ts'
import { createSessions } from './auth/sessions.ts'
import { createTokens } from './auth/tokens.ts'
import { createApp, type App } from './http/app.ts'
import { createClientAddress } from './http/client-address.ts'
import { createServer } from './http/server.ts'
import { createWebSocketServer } from './http/sockets.ts'
import { loadStaticFiles } from './http/static-files.ts'
import { LOGIN_POINTS_PER_ADDRESS, LOGIN_REFUSAL_POINTS, MAX_API_BODY_BYTES } from './limits.ts'
import { createRegistry } from './peers/registry.ts'
import { createPresenceRoutes } from './presence/routes.ts'
import { createLog } from './telemetry/log.ts'
import { signLogin } from './test-bridge.ts'

let app: App
let bridgePeer: string
let token: string

beforeAll(async () => {
  const privateKey = await generateKeyPair('Ed25519')
  bridgePeer = privateKey.publicKey.toString()
  const clock = Date.now
  const storage = createMemoryStorage()
  const registry = createRegistry({ clock, connectionsOf: () => 0 })
  const tokens = createTokens({ storage, clock, randomBytes })
  token = (await tokens.ensureFirst())!.token
  const sessions = createSessions({
    storage,
    tokens,
    budgets: createBudgets({ storage, clock }),
    rateLimits: createRateLimits({ randomBytes }),
    registry,
    privateKey,
    addresses: { firstHops: () => [], relayAddresses: () => [] },
    settings: { name: 'test', version: '0.0.0', guests: false },
    iceServers: () => [],
    clock,
    randomBytes,
  })
  const addressOf = createClientAddress(['192.0.2.80'])
  app = createApp({
    listener: createWebSocketListener({ getAddrs: () => [] }),
    addressOf,
    log: createLog({ level: 'silent' }),
    staticFiles: await loadStaticFiles('/nowhere'),
    operation: new Hono(),
    api: [
      createAuthRoutes({
        sessions,
        bridge: { peer: bridgePeer, name: 'test', version: '0.0.0', guests: false },
        firstHops: () => [],
        clock,
        contextOf: (context) => addressOf((context.env as { incoming: IncomingMessage }).incoming),
      }),
      createPresenceRoutes({ registry, verifyAccessToken: (jwt) => sessions.verifyAccessToken(jwt), circuitAddresses: () => [] }),
    ],
  })
})

/** A request that came over a socket from `ip`. */
async function ask(path: string, init: RequestInit = {}, ip = '192.0.2.1'): Promise<Response> {
  const headers = { host: 'bridge.example', ...(init.headers as Record<string, string>) }
  const incoming = { headers, socket: { remoteAddress: ip, remotePort: 1, localPort: 80 } }
  const response = await app.request(path, init, { incoming } as never)
  expect(response.headers.getSetCookie()).toEqual([])
  if (path.startsWith('/api/')) expect([response.status, response.headers.get('Cache-Control')]).toEqual([response.status, 'no-store'])
  return response
}

const json = (body: unknown, headers: Record<string, string> = {}): RequestInit => ({
  method: 'POST',
  headers: { 'Content-Type': 'application/json', ...headers },
  body: typeof body === 'string' ? body : JSON.stringify(body),
})
const bearer = (jwt: string, method = 'GET'): RequestInit => ({ method, headers: { Authorization: `Bearer ${jwt}` } })

async function login(): Promise<SessionAnswer> {
  const response = await ask('/api/v1/sessions', json(await signLogin(bridgePeer, await generateKeyPair('Ed25519'), token, 'Alice')))
  expect(response.status).toBe(201)
  return (await response.json()) as SessionAnswer
}

async function expectProblem(response: Response, status: number, code: string): Promise<void> {
  expect([response.status, response.headers.get('Content-Type')]).toEqual([status, 'application/problem+json'])
  expect(await response.json()).toMatchObject({ type: 'about:blank', status, code })
}

describe('the session API', () => {
  it('makes a session, says what it is, and ends it', async () => {
    const { accessToken, peer } = await login()
    expect(await (await ask('/api/v1/sessions/current', bearer(accessToken))).json()).toMatchObject({ peer, bytesToday: 0 })
    expect((await ask('/api/v1/sessions/current', bearer(accessToken, 'DELETE'))).status).toBe(204)
    await expectProblem(await ask('/api/v1/sessions/current', bearer(accessToken)), 401, 'unauthorized')
    await expectProblem(await ask('/api/v1/sessions/current', bearer(accessToken, 'DELETE')), 401, 'unauthorized')
  })

  it('refuses a login that was used before', async () => {
    const request = json(await signLogin(bridgePeer, await generateKeyPair('Ed25519'), token))
    expect((await ask('/api/v1/sessions', request)).status).toBe(201)
    await expectProblem(await ask('/api/v1/sessions', request), 409, 'replayed')
  })

  it.each([
    ['{"credential":', 'cut short'],
    ['', 'empty'],
    ['null', 'no object'],
    ['{"credential":{"kind":"crown"}}', 'another shape'],
  ])('refuses the body %s as bad_request: %s', async (body) => {
    await expectProblem(await ask('/api/v1/sessions', json(body)), 400, 'bad_request')
  })

  it('refuses a body over its limit, said beforehand or found out, and takes one at the limit', async () => {
    const large = JSON.stringify({ padding: 'x'.repeat(MAX_API_BODY_BYTES) })
    await expectProblem(await ask('/api/v1/sessions', json(large, { 'Content-Length': String(large.length) })), 413, 'too_large')
    await expectProblem(await ask('/api/v1/sessions', json(large)), 413, 'too_large')
    await expectProblem(await ask('/api/v1/sessions', json(' '.repeat(MAX_API_BODY_BYTES))), 400, 'bad_request')
  })

  it.each(['/api/v1/peers', '/api/v1/sessions/current'])('gives %s to a Bearer and to nobody else', async (path) => {
    const { accessToken } = await login()
    expect((await ask(path, bearer(accessToken))).status).toBe(200)
    for (const Authorization of ['', 'Bearer', 'Bearer x.y.z', `Basic ${accessToken}`, `${accessToken}`]) {
      const refused = await ask(path, { headers: { Authorization } })
      expect(refused.headers.get('WWW-Authenticate')).toBe('Bearer')
      await expectProblem(refused, 401, 'unauthorized')
    }
    await expectProblem(await ask(`${path}?access_token=${accessToken}`), 401, 'unauthorized')
  })

  it.each([
    ['GET', '/api/v1/nothing'],
    ['POST', '/api/v1/nothing'],
    ['PUT', '/api/v1/sessions'],
    ['POST', '/nothing'],
    ['DELETE', '/'],
    ['PUT', '/index.html'],
  ])('has nothing for %s %s', async (method, path) => {
    await expectProblem(await ask(path, { method }), 404, 'not_found')
  })

  it('counts refused logins for the socket’s address, whatever a stranger’s header says', async () => {
    const attempt = (ip: string, forwarded: string): Promise<Response> =>
      ask('/api/v1/sessions', json('{}', { 'x-forwarded-for': forwarded }), ip)
    const wrong = async (ip: string, forwarded: string): Promise<number> => {
      const request = { ...(await signLogin(bridgePeer, await generateKeyPair('Ed25519'), token)), signature: 'AAAA' }
      return (await ask('/api/v1/sessions', json(request, { 'x-forwarded-for': forwarded }), ip)).status
    }
    const tries = LOGIN_POINTS_PER_ADDRESS / LOGIN_REFUSAL_POINTS
    for (let index = 0; index < tries; index++) expect(await wrong('::ffff:198.51.100.7', `203.0.113.${index}`)).toBe(401)
    // The same address without IPv6 around it.
    const limited = await ask(
      '/api/v1/sessions',
      json(await signLogin(bridgePeer, await generateKeyPair('Ed25519'), token)),
      '198.51.100.7',
    )
    expect(Number(limited.headers.get('Retry-After'))).toBeGreaterThan(0)
    await expectProblem(limited, 429, 'rate_limited')
    // Through the trusted proxy it is the client that counts.
    expect(await wrong('192.0.2.80', '198.51.100.7')).toBe(429)
    expect(await wrong('192.0.2.80', '203.0.113.99')).toBe(401)
    expect((await attempt('192.0.2.1', '198.51.100.7')).status).toBe(400)
  })
})

describe('apps on other origins', () => {
  it('are asked for no credentials and may read Retry-After, in answers and refusals alike', async () => {
    const headers = { Origin: 'https://app.example' }
    for (const path of ['/api/v1/bridge', '/api/v1/peers', '/api/v1/nothing']) {
      const response = await ask(path, { headers })
      expect(response.headers.get('Access-Control-Allow-Origin')).toBe('*')
      expect(response.headers.get('Access-Control-Allow-Credentials')).toBeNull()
      expect(response.headers.get('Access-Control-Expose-Headers')).toContain('Retry-After')
    }
  })

  it('may log in, ask and log out after a preflight', async () => {
    const headers = { Origin: 'https://app.example', 'Access-Control-Request-Method': 'DELETE' }
    const response = await app.request('/api/v1/sessions/current', { method: 'OPTIONS', headers })
    expect(response.status).toBe(204)
    expect(response.headers.get('Access-Control-Allow-Methods')?.split(',')).toEqual(['GET', 'POST', 'DELETE'])
    expect(response.headers.get('Access-Control-Allow-Headers')?.split(',')).toEqual(['Authorization', 'Content-Type'])
    expect(response.headers.getSetCookie()).toEqual([])
  })
})

describe('over a port', () => {
  it('a body that never says its length is refused once it is too long, and is not waited for', async () => {
    const server = createServer({ app, webSocketServer: createWebSocketServer(), host: '127.0.0.1', port: 0, tls: undefined })
    const socket = connect(await server.listen(), '127.0.0.1')
    const answer = new Promise<string>((resolve) => socket.once('data', (data: Buffer) => resolve(data.toString())))
    socket.write('POST /api/v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n')
    const size = MAX_API_BODY_BYTES + 1
    socket.write(`${size.toString(16)}\r\n${' '.repeat(size)}\r\n`)
    expect(await answer).toMatch(/^HTTP\/1\.1 413 /)
    socket.destroy()
    await server.stop()
  })
})
