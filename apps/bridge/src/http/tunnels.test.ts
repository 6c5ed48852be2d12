/** The tunnel's routes without a socket: who is let through to which tunnel, and what is refused how. */
import { FootbridgeError } from '@footbridge/shared/errors'
import { MAX_TUNNEL_BODY_BYTES } from '@footbridge/shared/limits'
import { Hono } from 'hono'
import { expect, test } from 'vitest'
import { createLog } from '../telemetry/log.ts'
import { createErrorHandler } from './errors.ts'
import { createTunnelRoutes } from './tunnels.ts'

const ID = 'a'.repeat(22)

/** A listener with one tunnel, alice's; an access token is the name of who shows it. */
function createApp(room = true): Hono {
  const tunnel = {
    up: (body: Uint8Array) => {
      if (body.length === 0) throw new FootbridgeError('bad_request', 'the body does not fit')
      return Uint8Array.of(1, 2, 0, 9)
    },
    down: () => new Response(Uint8Array.of(1, 2, 0, 9)).body ?? new ReadableStream<Uint8Array>(),
    poll: async () => Uint8Array.of(1, 2, 0, 9),
  }
  const routes = createTunnelRoutes({
    listener: { open: () => (room ? ID : undefined), find: (id, peer) => (id === ID && peer === 'alice' ? tunnel : undefined) },
    verifyAccessToken: async (jwt) => (jwt === 'nobody' ? undefined : { sub: jwt }),
    addressOf: () => ({ ip: '192.0.2.1', port: 1, origin: 'http://bridge.test' }),
  })
  const app = new Hono()
  app.onError(createErrorHandler(createLog({ level: 'silent' })))
  return app.route('/', routes)
}

const ask = (path: string, init: RequestInit = {}, who = 'alice', app = createApp()): Response | Promise<Response> =>
  app.request(path, { ...init, headers: { authorization: `Bearer ${who}` } }, { incoming: {} })

test('T1: a session opens a tunnel, and is told when there is no room', async () => {
  const opened = await ask('/tunnels', { method: 'POST' })
  expect(opened.status).toBe(201)
  expect(await opened.json()).toMatchObject({ id: ID })
  expect((await ask('/tunnels', { method: 'POST' }, 'nobody')).status).toBe(401)
  const full = await ask('/tunnels', { method: 'POST' }, 'alice', createApp(false))
  expect([full.status, full.headers.get('Retry-After')]).toEqual([503, '5'])
})

test.each<[string, string, RequestInit, string, number]>([
  ['an up of its owner', `/tunnels/${ID}/up`, { method: 'POST', body: 'x' }, 'alice', 200],
  ['a poll of its owner', `/tunnels/${ID}/poll`, { method: 'POST', body: 'x' }, 'alice', 200],
  ['a down of its owner', `/tunnels/${ID}/down?received=0&limit=1&n=0`, {}, 'alice', 200],
  ['another’s tunnel', `/tunnels/${ID}/up`, { method: 'POST', body: 'x' }, 'bob', 404],
  ['no tunnel', `/tunnels/${'b'.repeat(22)}/down?received=0&limit=1&n=0`, {}, 'alice', 404],
  ['no access token', `/tunnels/${ID}/down?received=0&limit=1&n=0`, {}, 'nobody', 401],
  ['a body over the limit', `/tunnels/${ID}/up`, { method: 'POST', body: new Uint8Array(MAX_TUNNEL_BODY_BYTES + 1) }, 'alice', 413],
  ['a body that does not fit', `/tunnels/${ID}/up`, { method: 'POST', body: '' }, 'alice', 400],
  ['an offset that is none', `/tunnels/${ID}/down?received=-1&limit=1&n=0`, {}, 'alice', 400],
])('T2: %s', async (_name, path, init, who, status) => {
  expect((await ask(path, init, who)).status).toBe(status)
})

test('answers are neither kept nor held back', async () => {
  const { headers } = await ask(`/tunnels/${ID}/down?received=0&limit=1&n=0`)
  expect(headers.get('Cache-Control')).toBe('no-store, no-transform')
  expect(headers.get('X-Accel-Buffering')).toBe('no')
})
