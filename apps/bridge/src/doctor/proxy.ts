/**
 * What a proxy in front does to requests: the headers that it adds and whether they are believed, streams that it holds back, bodies that it refuses.
 */
import type { TunnelAnswer } from '@footbridge/shared/wire/tunnel-api'
import { MAX_TUNNEL_BODY_BYTES } from '@footbridge/shared/limits'
import { SIGHTING_HEADER, type Sighting } from '../http/sightings.ts'
import { error, ok, reasonOf, unknown, warning, type Finding } from './finding.ts'
import { ask, timeToFirstByte } from './http-probe.ts'
import type { Visit } from './visit.ts'

export interface ProxyQuestion {
  readonly publicUrl: string
  readonly trustedProxies: readonly string[]
  readonly visit: Visit | undefined
  /** Opens a sighting. */
  readonly open: () => Promise<string>
  readonly take: (id: string) => Promise<Sighting | undefined>
}

export async function checkProxy(question: ProxyQuestion): Promise<Finding[]> {
  const [headers, tunnel] = await Promise.all([checkHeaders(question), checkTunnel(question)])
  return [...headers, ...tunnel]
}

async function checkHeaders({ publicUrl, trustedProxies, open, take }: ProxyQuestion): Promise<Finding[]> {
  const check = { area: 'proxy', id: 'forwarded', what: 'headers' } as const
  const id = await open()
  try {
    await ask(`${publicUrl}/api/v1/bridge`, { headers: { [SIGHTING_HEADER]: id } })
  } catch (failure) {
    return [unknown(check, `no request got through: ${reasonOf(failure)}`)]
  }
  const seen = await take(id)
  if (seen === undefined) return [unknown(check, 'the request did not arrive at this bridge')]
  return judge(seen, publicUrl, trustedProxies)
}

/** Exported for its table of cases. */
export function judge(seen: Sighting, publicUrl: string, trustedProxies: readonly string[]): Finding[] {
  const check = { area: 'proxy', id: 'forwarded', what: 'headers' } as const
  const { socketAddress, client, forwardedFor, forwarded, forwardedProto, host } = seen
  const isHttps = publicUrl.startsWith('https:')
  const cameBy = new URL(client.origin)
  const isForwarded = forwardedFor !== undefined || forwarded !== undefined
  const isTrusted =
    trustedProxies.length > 0 && (client.ip !== socketAddress || (isHttps && cameBy.protocol === 'https:' && forwardedProto !== undefined))
  // TLS ends somewhere in front, or somebody adds headers: there is a proxy.
  const hasProxy = isForwarded || forwardedProto !== undefined || (isHttps && cameBy.protocol === 'http:')
  if (!hasProxy && trustedProxies.length === 0) return [ok(check, 'no proxy is in front')]
  if (!hasProxy) return [warning(check, `${socketAddress} adds none of the headers that --trusted-proxies waits for`, FOR_ADVICE)]

  const findings: Finding[] = []
  if (!isForwarded)
    findings.push(
      error(check, `the proxy at ${socketAddress} does not say who asks (X-Forwarded-For): limits take everybody for one`, FOR_ADVICE),
    )
  else if (!isTrusted && client.ip === socketAddress)
    findings.push(
      error(
        check,
        `${socketAddress} says who asks, but is not trusted: limits take everybody for one`,
        `trust it: --trusted-proxies ${[...trustedProxies, socketAddress].join(',')}`,
      ),
    )
  if (isHttps && forwardedProto === undefined && forwarded === undefined)
    findings.push(
      error(
        check,
        'the proxy does not say that people come by HTTPS (X-Forwarded-Proto)',
        'nginx: proxy_set_header X-Forwarded-Proto $scheme;',
      ),
    )
  else if (findings.length === 0 && cameBy.host !== new URL(publicUrl).host)
    findings.push(
      warning(
        check,
        `the proxy passes the host on as ${host ?? 'nothing'} instead of ${new URL(publicUrl).host}`,
        'nginx: proxy_set_header Host $host;',
      ),
    )
  if (findings.length > 0) return findings
  return [ok(check, `the proxy at ${socketAddress} says who asks and how, and is trusted`)]
}

const FOR_ADVICE = 'nginx: proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; Caddy and Traefik do it by themselves'

async function checkTunnel({ publicUrl, visit }: ProxyQuestion): Promise<Finding[]> {
  const check = { area: 'proxy', id: 'tunnel', what: 'tunnel' } as const
  if (visit === undefined) return [unknown(check, 'nobody could log in through the public address')]
  const base = `${publicUrl}/api/v1/tunnels`
  try {
    const { status, body } = await ask(base, { method: 'POST', headers: visit.headers })
    if (status !== 201)
      return [error(check, `a tunnel was answered ${status}`, 'let the proxy pass POST and GET under /api/v1/tunnels unchanged')]
    const { id, heartbeatMs } = JSON.parse(body) as TunnelAnswer
    return await Promise.all([
      checkStream(`${base}/${id}/down?received=0&limit=${MAX_TUNNEL_BODY_BYTES}`, visit, heartbeatMs),
      checkBody(`${base}/${'0'.repeat(22)}/up`, visit),
    ])
  } catch (failure) {
    return [error(check, `no tunnel: ${reasonOf(failure)}`, 'look at the firewall, the proxy, and --public-url')]
  }
}

async function checkStream(url: string, visit: Visit, heartbeatMs: number): Promise<Finding> {
  const check = { area: 'proxy', id: 'streams', what: 'streams' } as const
  // One sign of life comes at once; without it, whatever comes within two heartbeats was held back.
  const firstMs = await timeToFirstByte(url, { headers: visit.headers, timeoutMs: heartbeatMs * 2 })
  if (firstMs !== undefined && firstMs < heartbeatMs) return ok(check, `answers come as they are sent (${firstMs.toFixed(0)} ms)`)
  return warning(
    check,
    'answers are held back until they end: the tunnel works by polling, more slowly',
    'let streams through under /api/v1/tunnels; nginx: leave X-Accel-Buffering alone, or proxy_buffering off;',
  )
}

/** No such tunnel: the bridge refuses it whatever it says, so only somebody in front can mind its length. */
async function checkBody(url: string, visit: Visit): Promise<Finding> {
  const check = { area: 'proxy', id: 'bodies', what: 'bodies' } as const
  const size = MAX_TUNNEL_BODY_BYTES - 256
  const { status, headers } = await ask(url, { method: 'POST', headers: visit.headers, body: new Uint8Array(size) })
  if (String(headers['content-type']).includes('problem+json')) return ok(check, `${size / 1024} KiB get through`)
  return error(
    check,
    `a body of ${size / 1024} KiB is answered ${status}`,
    'let bodies through under /api/v1/tunnels; nginx: client_max_body_size 1m;',
  )
}
