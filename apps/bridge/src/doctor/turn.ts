/**
 * The operator's TURN server, with the credentials that a session was given.
 */
import type { SessionAnswer } from '@footbridge/shared/login'
import { error, ok, reasonOf, unknown, type Finding } from './finding.ts'
import { askTurn } from './turn-probe.ts'

export async function checkTurn(turnUrls: readonly string[], session: SessionAnswer | undefined): Promise<Finding[]> {
  const check = { area: 'turn', id: 'turn', what: 'TURN' } as const
  if (turnUrls.length === 0) return []
  const given = session?.iceServers.find(({ urls, credential }) => credential !== undefined && urls.some((url) => turnUrls.includes(url)))
  if (given?.username === undefined || given.credential === undefined) return [unknown(check, 'no credentials: nobody could log in')]
  const account = { username: given.username, credential: given.credential }
  return Promise.all(
    given.urls.map(async (url): Promise<Finding> => {
      try {
        await askTurn(url, account)
        return ok(check, `${url} gives a relay`)
      } catch (failure) {
        const reason = reasonOf(failure)
        const advice = reason.includes('401')
          ? 'give both the same secret (coturn: use-auth-secret, static-auth-secret), and look at both clocks'
          : 'look at the firewall and the log of the TURN server'
        return error(check, `${url}: ${reason}`, advice)
      }
    }),
  )
}
