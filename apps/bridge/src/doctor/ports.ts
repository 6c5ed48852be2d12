/**
 * Each port where it listens, on this machine, with nothing in between: HTTP, libp2p over WebSocket, TCP and WebTransport to the end of noise, STUN.
 */
import { loadBinding } from '@footbridge/listeners/webtransport/binding'
import type { Diagnosis } from '../admin/diagnosis.ts'
import type { SessionAnswer } from '@footbridge/shared/login'
import type { Dial } from './dial.ts'
import { error, ok, reasonOf, unknown, warning, type Finding } from './finding.ts'
import { ask, askForUpgrade } from './http-probe.ts'
import { askStun } from './stun-probe.ts'

export interface PortsQuestion {
  readonly diagnosis: Diagnosis
  readonly dial: Dial
  /** For the hashes in WebTransport's address. Undefined when nobody could log in. */
  readonly session: SessionAnswer | undefined
}

export async function checkPorts({ diagnosis, dial, session }: PortsQuestion): Promise<Finding[]> {
  const { settings, port, p2pPort, peer } = diagnosis
  const host = dialable(settings.host)
  const ip = `/${host.includes(':') ? 'ip6' : 'ip4'}/${host}`
  const findings = await Promise.all([
    checkHttp(`${settings.tls === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${port}`, port),
    checkWebSocket(diagnosis, dial, host),
    ...(p2pPort === undefined
      ? []
      : [checkDial({ area: 'ports', id: 'native', what: 'native peers' }, dial, `${ip}/tcp/${p2pPort}/p2p/${peer}`, `TCP ${p2pPort}`)]),
    checkWebTransport({ diagnosis, dial, session }),
    ...checkStun(diagnosis),
  ])
  return findings.flatMap((finding) => finding ?? [])
}

/** Where a socket that listens everywhere is found on this machine. */
export function dialable(host: string): string {
  return host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
}

/** With TLS no further than the upgrade: the certificate is for a name, under which public.ts goes on to noise. */
async function checkWebSocket({ settings, port, peer }: Diagnosis, dial: Dial, host: string): Promise<Finding> {
  const check = { area: 'ports', id: 'websocket', what: 'WebSocket' } as const
  const isSix = host.includes(':')
  if (settings.tls === undefined)
    return checkDial(check, dial, `/${isSix ? 'ip6' : 'ip4'}/${host}/tcp/${port}/ws/p2p/${peer}`, `TCP ${port}`)
  try {
    const status = await askForUpgrade(`https://${isSix ? `[${host}]` : host}:${port}`)
    if (status === 101) return ok(check, `TCP ${port} answers`)
    return error(check, `TCP ${port} answers ${status} instead of 101`, 'see the log of the bridge')
  } catch (failure) {
    return error(check, `TCP ${port}: ${reasonOf(failure)}`, 'see the log of the bridge')
  }
}

async function checkHttp(url: string, port: number): Promise<Finding> {
  const check = { area: 'ports', id: 'http', what: 'HTTP' } as const
  try {
    const { status } = await ask(`${url}/healthz`)
    if (status === 200) return ok(check, `TCP ${port} answers`)
    return error(check, `TCP ${port} answers ${status}: the bridge is starting or stopping`, 'wait a moment; then see its log')
  } catch (failure) {
    return error(check, `TCP ${port}: ${reasonOf(failure)}`, 'see the log of the bridge')
  }
}

export async function checkDial(
  check: { readonly area: Finding['area']; readonly id: string; readonly what: string },
  dial: Dial,
  address: string,
  name: string,
): Promise<Finding> {
  try {
    return ok(check, `${name} answers, noise handshake in ${(await dial(address)).toFixed(0)} ms`)
  } catch (failure) {
    return error(check, `${name}: ${reasonOf(failure)}`, 'see the log of the bridge')
  }
}

async function checkWebTransport({ diagnosis, dial, session }: PortsQuestion): Promise<Finding | undefined> {
  const check = { area: 'ports', id: 'webtransport', what: 'WebTransport' } as const
  const { webTransport, settings, peer } = diagnosis
  if ('reason' in webTransport) {
    if (webTransport.reason.startsWith('switched off')) return ok(check, webTransport.reason)
    // Said among what the machine gives.
    if ('reason' in loadBinding()) return undefined
    return warning(check, `none: ${webTransport.reason}`, 'people come in by WebSocket and tunnel; --wt-port off stops this warning')
  }
  const hashes = session?.firstHops.flatMap((hop) => /\/quic-v1\/webtransport(?:\/certhash\/[^/]+)+/.exec(hop)?.[0] ?? [])[0]
  if (hashes === undefined) return unknown(check, 'its address was not given at the login')
  const host = dialable(settings.wtHost)
  const address = `/${host.includes(':') ? 'ip6' : 'ip4'}/${host}/udp/${webTransport.port}${hashes}/p2p/${peer}`
  return checkDial(check, dial, address, `UDP ${webTransport.port}`)
}

function checkStun({ settings, stunPorts }: Diagnosis): Promise<Finding>[] {
  const check = { area: 'ports', id: 'stun', what: 'STUN' } as const
  if (!settings.stun) return [Promise.resolve(ok(check, 'switched off by --stun'))]
  const advice = 'stop what has the UDP ports of wt-port and p2p-port, and start the bridge again; its log names them'
  if (stunPorts.length === 0) return [Promise.resolve(error(check, 'none of its UDP ports could be had', advice))]
  const checks = stunPorts.map(async (port): Promise<Finding> => {
    try {
      await askStun(dialable(settings.wtHost), port)
      return ok(check, `UDP ${port} answers`)
    } catch (failure) {
      return error(check, `UDP ${port}: ${reasonOf(failure)}`, 'look for a firewall on this machine')
    }
  })
  if (stunPorts.length === 1)
    checks.push(Promise.resolve(warning(check, 'one UDP port instead of two: the kind of NAT cannot be told', advice)))
  return checks
}
