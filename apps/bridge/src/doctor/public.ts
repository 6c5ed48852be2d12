/**
 * The bridge as people reach it: where its name leads, whether what answers there is this bridge, and each address that it tells others.
 */
import type { SessionAnswer } from '@footbridge/shared/login'
import { multiaddr } from '@multiformats/multiaddr'
import type { Diagnosis } from '../admin/diagnosis.ts'
import { isOfThisMachine, kindOf, resolve } from './addresses.ts'
import type { Dial } from './dial.ts'
import { error, ok, reasonOf, unknown, warning, type Finding } from './finding.ts'
import { ask, askForUpgrade } from './http-probe.ts'
import { askStun } from './stun-probe.ts'

export interface PublicQuestion {
  readonly diagnosis: Diagnosis
  readonly dial: Dial
  /** What a login through the public address was told. */
  readonly session: SessionAnswer | undefined
}

export async function checkPublic(question: PublicQuestion): Promise<Finding[]> {
  const { publicUrl } = question.diagnosis.settings
  const parts = await Promise.all([
    publicUrl === undefined ? [checkNoUrl(question.diagnosis)] : checkUrl(publicUrl, question),
    checkAnnounced(question),
    checkToldHops(question),
    checkToldStun(question),
  ])
  return parts.flat()
}

function checkNoUrl({ settings, url }: Diagnosis): Finding {
  const check = { area: 'public', id: 'public-url', what: 'public address' } as const
  if (kindOf(settings.host) === 'loopback') return ok(check, `none: this bridge is for this machine, at ${url}`)
  return warning(check, `none is set; links say ${url}`, 'say where people reach the bridge: --public-url https://bridge.example')
}

async function checkUrl(publicUrl: string, { diagnosis }: PublicQuestion): Promise<Finding[]> {
  return Promise.all([checkName(publicUrl), checkIdentity(publicUrl, diagnosis.peer), checkUpgrade(publicUrl)])
}

async function checkName(publicUrl: string): Promise<Finding> {
  const check = { area: 'public', id: 'name', what: 'name' } as const
  const host = hostOf(publicUrl)
  try {
    const addresses = await resolve(host)
    const list = addresses.join(', ')
    const isOwn = addresses.some(isOfThisMachine)
    if (addresses.every((ip) => kindOf(ip) !== 'public'))
      return warning(
        check,
        `${host} leads to ${list}, which the internet does not reach`,
        'good for a local network; for others point the name at a public address',
      )
    return ok(
      check,
      `${host} leads to ${list}, ${isOwn ? 'an address of this machine' : 'not an address of this machine: a router, proxy or another machine is in front'}`,
    )
  } catch (failure) {
    return error(check, `${host}: ${reasonOf(failure)}`, `make an A or AAAA record for ${host}, or correct --public-url`)
  }
}

async function checkIdentity(publicUrl: string, peer: string): Promise<Finding> {
  const check = { area: 'public', id: 'identity', what: 'answers' } as const
  try {
    const { status, body } = await ask(`${publicUrl}/api/v1/bridge`)
    const answered = status === 200 ? peerIn(body) : undefined
    if (answered === peer) return ok(check, `${publicUrl} is this bridge`)
    const found =
      answered === undefined ? `${publicUrl} answers ${status}, and not as a bridge` : `${publicUrl} is another bridge: ${answered}`
    return error(check, found, 'point --public-url, the name, or the proxy’s upstream at this bridge')
  } catch (failure) {
    return error(check, `${publicUrl}: ${reasonOf(failure)}`, 'look at the firewall, the proxy, and --public-url')
  }
}

async function checkUpgrade(publicUrl: string): Promise<Finding> {
  const check = { area: 'public', id: 'upgrade', what: 'upgrades' } as const
  try {
    const status = await askForUpgrade(publicUrl)
    if (status === 101) return ok(check, 'a WebSocket gets through')
    return error(
      check,
      `a WebSocket does not get through: the answer is ${status} instead of 101`,
      'let the proxy pass upgrades; nginx: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";',
    )
  } catch (failure) {
    return error(check, `a WebSocket does not get through: ${reasonOf(failure)}`, 'look at the firewall, the proxy, and --public-url')
  }
}

async function checkAnnounced({ diagnosis, dial }: PublicQuestion): Promise<Finding[]> {
  const isForOthers = diagnosis.settings.publicUrl !== undefined || kindOf(diagnosis.settings.host) !== 'loopback'
  const check = { area: 'public', id: 'announced', what: 'native peers' } as const
  if (diagnosis.addresses.length === 0)
    return [warning(check, 'no address is announced', 'say where native peers reach it: --announce-addrs')]
  return Promise.all(
    diagnosis.addresses.map(async (address): Promise<Finding> => {
      const plain = address.replace(/\/certhash.*$|\/p2p\/[^/]+$/, '')
      const [host, transport] = multiaddr(address).getComponents()
      if (transport?.value === '0') return error(check, `${plain}: port 0 is no port`, 'give the real one with --announce-addrs')
      const ips = await resolve(host?.value ?? '').catch(() => [])
      if (ips.length === 0) return error(check, `${plain}: the name leads nowhere`, 'correct --announce-addrs, or make a record for it')
      const kinds = new Set(ips.map(kindOf))
      const isFar = !ips.some(isOfThisMachine)
      try {
        await dial(address)
      } catch (failure) {
        if (!isFar)
          return error(
            check,
            `${plain} does not answer: ${reasonOf(failure)}`,
            'correct --announce-addrs, or open the port in the firewall',
          )
        return warning(
          check,
          `${plain} does not answer from here: ${reasonOf(failure)}`,
          'try it from outside: a router may not lead its own people back in',
        )
      }
      if (kinds.has('public') || !isForOthers) return ok(check, `${plain} answers${isForOthers ? '' : '; only this machine reaches it'}`)
      const [kind] = kinds
      const reach =
        { loopback: 'only this machine reaches it', private: 'only its own network reaches it' }[kind as string] ?? 'nobody else reaches it'
      return warning(check, `${plain} answers, but ${reach}`, 'say where others reach it: --announce-addrs /dns4/bridge.example/tcp/8081')
    }),
  )
}

/** WebSocket and WebTransport as browsers are told; the tunnel is among the proxy's checks. */
async function checkToldHops({ diagnosis, dial, session }: PublicQuestion): Promise<Finding[]> {
  if (diagnosis.settings.publicUrl === undefined) return []
  const check = { area: 'public', id: 'first-hop', what: 'first hops' } as const
  if (session === undefined) return [unknown(check, 'nobody could log in through the public address')]
  const hops = session.firstHops.filter((hop) => !hop.includes('/http-path/'))
  const findings = hops.map(async (hop): Promise<Finding> => {
    const name = hop.replace(/\/certhash.*$|\/p2p\/[^/]+$/, '')
    const isUdp = hop.includes('/webtransport')
    try {
      return ok(check, `${name} answers, noise handshake in ${(await dial(hop)).toFixed(0)} ms`)
    } catch (failure) {
      if (!isUdp) return error(check, `${name}: ${reasonOf(failure)}`, 'see the checks above: name, certificate, upgrades')
      return warning(
        check,
        `${name}: ${reasonOf(failure)}`,
        `let UDP ${/udp\/(\d+)/.exec(hop)?.[1] ?? ''} through the firewall; behind a proxy see --wt-host; or spare browsers the try with --wt-port off`,
      )
    }
  })
  if ('port' in diagnosis.webTransport && !hops.some((hop) => hop.includes('/webtransport')))
    findings.push(
      Promise.resolve(
        warning(
          check,
          'browsers are told of no WebTransport: it listens on loopback, and people come through a proxy',
          'give it an address for UDP: --wt-host 0.0.0.0',
        ),
      ),
    )
  return Promise.all(findings)
}

async function checkToldStun({ diagnosis, session }: PublicQuestion): Promise<Finding[]> {
  if (diagnosis.settings.publicUrl === undefined || !diagnosis.settings.stun || session === undefined) return []
  const check = { area: 'public', id: 'stun', what: 'STUN' } as const
  const told = session.iceServers
    .flatMap(({ urls, credential }) => (credential === undefined ? urls : []))
    .slice(0, diagnosis.stunPorts.length)
  const own = told.filter((url) => diagnosis.stunPorts.some((port) => url.endsWith(`:${port}`)))
  if (own.length === 0)
    return [
      warning(
        check,
        'browsers are told of none: it listens on loopback, and people come through a proxy',
        'give it an address for UDP: --wt-host 0.0.0.0',
      ),
    ]
  return Promise.all(
    own.map(async (url): Promise<Finding> => {
      const [, host = '', port = ''] = /^stun:\[?(.+?)\]?:(\d+)$/.exec(url) ?? []
      try {
        await askStun(host, Number(port))
        return ok(check, `${url} answers`)
      } catch (failure) {
        return warning(
          check,
          `${url}: ${reasonOf(failure)}`,
          `let UDP ${port} through the firewall; behind a proxy say where UDP comes in with --announce-addrs`,
        )
      }
    }),
  )
}

function hostOf(url: string): string {
  return new URL(url).hostname.replaceAll(/^\[|\]$/g, '')
}

function peerIn(body: string): string | undefined {
  try {
    const { peer } = JSON.parse(body) as { peer?: unknown }
    return typeof peer === 'string' ? peer : undefined
  } catch {
    return undefined
  }
}
