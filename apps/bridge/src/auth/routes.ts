/**
 * The session API over HTTP, under `/api/v1`. No cookies: whoever holds the access token is the caller, so any origin may ask.
 * Not here: what a login means (sessions.ts), CORS and problem+json (http/).
 */
import { Hono, type Context } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { FootbridgeError } from '@footbridge/shared/errors'
import { loginRequestSchema, type BridgeAnswer } from '@footbridge/shared/login'
import * as v from 'valibot'
import { requireAccess } from '../http/access-token.ts'
import { MAX_API_BODY_BYTES } from '../limits.ts'
import type { AccessClaims } from './access-tokens.ts'
import type { LoginContext, Sessions } from './sessions.ts'

export interface AuthRoutesDependencies {
  readonly sessions: Sessions
  /** What `GET /bridge` says to everybody. */
  readonly bridge: Omit<BridgeAnswer, 'serverTime' | 'firstHops'>
  /** For whoever reached the bridge at this origin. */
  readonly firstHops: (origin: string) => string[]
  readonly clock: () => number
  /** Who is asking, and under which origin they reached the bridge: knows sockets, TLS and trusted proxies. */
  readonly contextOf: (context: Context) => LoginContext
}

/** To be mounted at `/api/v1`. */
export function createAuthRoutes({ sessions, bridge, firstHops, clock, contextOf }: AuthRoutesDependencies): Hono {
  const app = new Hono()

  app.use('*', async (context, next) => {
    await next()
    context.header('Cache-Control', 'no-store')
  })

  app.get('/bridge', (context) => {
    const answer: BridgeAnswer = { ...bridge, firstHops: firstHops(contextOf(context).origin), serverTime: clock() }
    return context.json(answer)
  })

  app.post('/sessions', limitBody, async (context) => {
    const request = v.safeParse(loginRequestSchema, await readJson(context))
    if (!request.success) throw new FootbridgeError('bad_request', `the login does not fit: ${v.summarize(request.issues).slice(0, 300)}`)
    return context.json(await sessions.login(request.output, contextOf(context)), 201)
  })

  app.get('/sessions/current', async (context) => context.json(await sessions.current((await authenticate(context)).sub)))

  app.delete('/sessions/current', async (context) => {
    sessions.logout((await authenticate(context)).sub)
    return context.body(null, 204)
  })

  const authenticate = (context: Context): Promise<AccessClaims> => requireAccess(context, (jwt) => sessions.verifyAccessToken(jwt))

  return app
}

const limitBody = bodyLimit({
  maxSize: MAX_API_BODY_BYTES,
  onError: () => {
    throw new FootbridgeError('too_large', `the body may have at most ${MAX_API_BODY_BYTES} bytes`)
  },
})

async function readJson(context: Context): Promise<unknown> {
  try {
    return await context.req.json()
  } catch (cause) {
    if (cause instanceof FootbridgeError) throw cause
    throw new FootbridgeError('bad_request', 'the body must be JSON', { cause })
  }
}
