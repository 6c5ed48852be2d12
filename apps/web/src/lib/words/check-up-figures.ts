/** The figures behind each line of a check-up, as names and values. Addresses of the person are shortened unless asked for whole. */
import type { Checks, CheckName, MappedAddress } from '@footbridge/client/check-up/facts'
import { formatDuration, formatRoundTrip } from '../format/time.ts'
import { m } from '../paraglide/messages.js'

export type Figure = readonly [name: string, value: string]

export function figuresOf(name: CheckName, checks: Checks, whole: boolean): readonly Figure[] {
  const check = checks[name]
  const figures = 'figures' in check && check.figures !== undefined ? figuresIn(name, checks, whole) : []
  if (check.state !== 'broken' || check.detail === undefined) return figures
  const after = check.afterMs === undefined ? [] : [[m.check_figure_after(), formatDuration(check.afterMs)] as const]
  return [...figures, ...after, [m.check_figure_said(), check.detail]]
}

function figuresIn(name: CheckName, checks: Checks, whole: boolean): readonly Figure[] {
  switch (name) {
    case 'bridge': {
      const { version, firstMs, rttMs } = figuresFrom(checks.bridge)
      return [
        [m.check_figure_version(), version],
        [m.check_figure_first(), formatDuration(firstMs)],
        [m.check_figure_rtt(), formatRoundTrip(rttMs)],
      ]
    }
    case 'webtransport':
    case 'websocket':
    case 'tunnel': {
      const { address, connectMs, proveMs, rttMs } = figuresFrom(checks[name])
      return [
        [m.check_figure_address(), address],
        [m.check_figure_connect(), formatDuration(connectMs)],
        [m.check_figure_prove(), formatDuration(proveMs)],
        [m.check_figure_rtt(), formatRoundTrip(rttMs)],
      ]
    }
    case 'udp': {
      const { nat, mapped, asked, answered, ms, ipv6 } = figuresFrom(checks.udp)
      return [
        [m.check_figure_nat(), NAT[nat]()],
        [m.check_figure_mapped(), mapped.map((each) => (whole ? wholeAddress(each) : shortened(each))).join(', ')],
        [m.check_figure_answers(), m.check_figure_answers_of({ count: answered, all: asked })],
        [m.check_figure_first_answer(), formatDuration(ms)],
        [m.check_figure_ipv6(), ipv6 ? m.check_figure_ipv6_yes() : m.check_figure_ipv6_no()],
      ]
    }
    case 'turn':
      return [[m.check_figure_first_answer(), formatDuration(figuresFrom(checks.turn).ms)]]
    case 'webrtc':
      return [[m.check_figure_loopback(), formatDuration(figuresFrom(checks.webrtc).ms)]]
    case 'peers':
      return figuresFrom(checks.peers).failures.map((failure) => [m.check_figure_failed(), failure])
    case 'clock': {
      const { skewMs, uncertaintyMs, timeZone } = figuresFrom(checks.clock)
      return [
        [m.check_figure_skew(), m.check_figure_seconds({ count: (Math.round(skewMs / 100) / 10).toFixed(1).replace('-0.0', '0.0') })],
        [m.check_figure_known(), formatDuration(uncertaintyMs)],
        [m.check_figure_zone(), timeZone],
      ]
    }
    case 'storage':
      return []
    case 'browser': {
      const { webRtc, webTransport, serviceWorker, webLocks } = figuresFrom(checks.browser)
      const yes = (has: boolean): string => (has ? m.check_figure_yes() : m.check_figure_no())
      return [
        [m.check_figure_webrtc(), yes(webRtc)],
        [m.hop_webtransport(), yes(webTransport)],
        [m.check_figure_worker(), yes(serviceWorker)],
        [m.check_figure_locks(), yes(webLocks)],
      ]
    }
  }
}

/** Only called where there are some. */
function figuresFrom<Of extends Checks[CheckName]>(check: Of): Extract<Of, { readonly state: 'works' }>['figures'] {
  if (!('figures' in check) || check.figures === undefined) throw new TypeError('no figures')
  return check.figures as Extract<Of, { readonly state: 'works' }>['figures']
}

const NAT = {
  none: m.check_nat_none,
  endpoint_independent: m.check_nat_endpoint_independent,
  symmetric: m.check_nat_symmetric,
  unknown: m.check_nat_unknown,
} as const

function wholeAddress({ address, port }: MappedAddress): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}

/** A mapped address says where somebody is: enough stays of it to see whether two are the same network. The port tells nothing of a person. */
export function shortened({ address, port }: MappedAddress): string {
  if (address.includes(':')) return `[${address.split(':').slice(0, 2).join(':')}:…]:${port}`
  return `${address.split('.').slice(0, 2).join('.')}.x.x:${port}`
}
