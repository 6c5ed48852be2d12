/**
 * Who asks: the access token of a request, which every route for people with a session wants. Not here: what makes one good (auth/access-tokens.ts).
 */
import { FootbridgeError } from '@footbridge/shared/errors'
import type { Context } from 'hono'

/** @throws FootbridgeError `unauthorized` when there is none, or none that is good. */
export async function requireAccess<Claims>(context: Context, verify: (jwt: string) => Promise<Claims | undefined>): Promise<Claims> {
  const [, jwt] = /^Bearer ([\w.-]+)$/i.exec(context.req.header('Authorization') ?? '') ?? []
  const claims = jwt === undefined ? undefined : await verify(jwt)
  if (claims === undefined) throw new FootbridgeError('unauthorized', 'the access token is missing, forged or expired: log in again')
  return claims
}
