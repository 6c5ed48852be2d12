/**
 * What a check-up found, in sentences with the figures behind them: one line for each probe, a verdict on top, and what can be done.
 * Not here: what it means (packages/client/src/check-up/judge.ts), the figures (check-up-figures.ts), the text to copy (check-up-report.ts).
 */
import type { Check, Checks, CheckName, CheckUp, HopFigures, HopReason, Unknown } from '@footbridge/client/check-up/facts'
import type { Advice, Direct, Reach, Verdict } from '@footbridge/client/check-up/judge'
import { formatSize } from '../format/size.ts'
import { formatDuration, formatRoundTrip } from '../format/time.ts'
import { m } from '../paraglide/messages.js'
import { sentenceFor } from './errors.ts'
import { clockWords } from './notices.ts'

/** `limited`: broken or less than it could be, while something else does its work. `none`: nothing to say yes or no to. */
export type Mark = 'works' | 'limited' | 'broken' | 'none' | 'running'

export interface CheckLine {
  readonly name: CheckName
  readonly title: string
  readonly mark: Mark
  readonly sentence: string
}

const TITLES: Record<CheckName, () => string> = {
  bridge: m.check_of_bridge,
  webtransport: m.hop_webtransport,
  websocket: m.hop_websocket,
  tunnel: m.hop_tunnel,
  udp: m.check_of_udp,
  turn: m.check_of_turn,
  webrtc: m.check_of_webrtc,
  peers: m.check_of_peers,
  clock: m.check_of_clock,
  storage: m.check_of_storage,
  browser: m.check_of_browser,
}
export const CHECK_NAMES = Object.keys(TITLES) as readonly CheckName[]

const UNKNOWN: Record<Unknown, () => string> = {
  stopped: m.check_unknown_stopped,
  no_bridge: m.check_unknown_no_bridge,
  no_session: m.check_unknown_no_session,
  nobody: m.check_unknown_nobody,
  untold: m.check_unknown_untold,
  fault: m.check_unknown_fault,
}

/** Without these nothing works, or something is wrong with this device; what else is broken has another in its place. */
const WEIGHTY: readonly CheckName[] = ['bridge', 'clock', 'storage', 'browser']

export function checkLines(checks: Checks, verdict: Verdict): readonly CheckLine[] {
  return CHECK_NAMES.map((name) => ({
    name,
    title: TITLES[name](),
    mark: markOf(name, checks, verdict),
    sentence: sentenceOf(name, checks),
  }))
}

/** Without any network nothing that is broken says anything about it. */
function isMoot(name: CheckName, checks: Checks): boolean {
  const isOffline = checks.bridge.state === 'broken' && checks.bridge.reason === 'offline'
  return isOffline && checks[name].state === 'broken' && !WEIGHTY.includes(name)
}

function markOf(name: CheckName, checks: Checks, { reach }: Verdict): Mark {
  if (isMoot(name, checks)) return 'none'
  const check = checks[name]
  switch (check.state) {
    case 'running':
      return 'running'
    case 'works':
      return isLess(name, checks) ? 'limited' : 'works'
    case 'broken':
      return WEIGHTY.includes(name) || (reach !== 'fast' && reach !== 'tunnel' && reach !== 'pending') ? 'broken' : 'limited'
    case 'unsupported':
    case 'not_offered':
    case 'unknown':
      return 'none'
  }
}

/** Works, and is less than it could be. */
function isLess(name: CheckName, { udp, browser }: Checks): boolean {
  if (name === 'udp') return udp.state === 'works' && udp.figures.nat === 'symmetric'
  return name === 'browser' && browser.state === 'works' && !browser.figures.webRtc
}

function sentenceOf(name: CheckName, checks: Checks): string {
  if (isMoot(name, checks)) return m.check_unknown_offline()
  const check = checks[name]
  switch (check.state) {
    case 'running':
      return m.check_running()
    case 'unsupported':
      return name === 'webrtc' ? m.check_webrtc_unsupported() : name === 'udp' ? m.check_udp_unsupported() : m.check_unsupported()
    case 'not_offered':
      return m.check_not_offered()
    case 'unknown':
      return UNKNOWN[check.because]()
    case 'works':
    case 'broken':
      return found(name, checks)
  }
}

function found(name: CheckName, checks: Checks): string {
  switch (name) {
    case 'bridge':
      return bridgeWords(checks.bridge)
    case 'webtransport':
    case 'websocket':
    case 'tunnel':
      return hopWords(checks[name], checks.bridge.state === 'works')
    case 'udp':
      return udpWords(checks)
    case 'turn':
      return checks.turn.state === 'works' ? m.check_turn_works() : m.check_turn_silent({ time: afterOf(checks.turn) })
    case 'webrtc':
      return checks.webrtc.state === 'works' ? m.check_webrtc_works() : m.check_webrtc_failed()
    case 'peers':
      return checks.peers.state === 'works' ? m.check_peers_works(checks.peers.figures) : ''
    case 'clock':
      return clockSentence(checks.clock)
    case 'storage':
      return storageWords(checks.storage)
    case 'browser':
      return browserWords(checks.browser)
  }
}

function bridgeWords(check: Checks['bridge']): string {
  if (check.state === 'works') return m.check_bridge_works({ name: check.figures.name, time: formatRoundTrip(check.figures.rttMs) })
  if (check.state !== 'broken') return ''
  const time = afterOf(check)
  const words: Record<typeof check.reason, () => string> = {
    offline: m.check_bridge_offline,
    no_answer: () => m.check_bridge_no_answer({ time }),
    unreachable: () => m.check_bridge_unreachable({ time }),
    portal: m.check_bridge_portal,
    trouble: m.check_bridge_trouble,
  }
  return words[check.reason]()
}

function hopWords(check: Check<HopFigures, HopReason>, bridgeAnswers: boolean): string {
  if (check.state === 'works')
    return m.check_hop_works({ connect: formatDuration(check.figures.connectMs), rtt: formatRoundTrip(check.figures.rttMs) })
  if (check.state !== 'broken') return ''
  const time = afterOf(check)
  const words: Record<HopReason, () => string> = {
    refused: () => (bridgeAnswers ? m.check_hop_refused_though({ time }) : m.check_hop_refused({ time })),
    no_answer: () => m.check_hop_no_answer({ time }),
    silent: () => m.check_hop_silent({ time }),
    cut: m.check_hop_cut,
    other_peer: m.check_hop_other_peer,
    certificate: m.check_hop_certificate,
    handshake: m.check_hop_handshake,
    unauthorized: m.check_hop_unauthorized,
  }
  return words[check.reason]()
}

function udpWords({ udp, webtransport }: Checks): string {
  if (udp.state === 'broken') {
    const time = afterOf(udp)
    return webtransport.state === 'works' ? m.check_udp_silent_though({ time }) : m.check_udp_silent({ time })
  }
  if (udp.state !== 'works') return ''
  const { nat, isInside } = udp.figures
  // What is inside one network is not told to be good for the world.
  if (isInside) return `${m.check_udp_unknown_inside()} ${m.check_udp_inside()}`
  return {
    none: m.check_udp_none,
    endpoint_independent: m.check_udp_endpoint_independent,
    symmetric: m.check_udp_symmetric,
    unknown: m.check_udp_unknown,
  }[nat]()
}

function clockSentence(check: Checks['clock']): string {
  if ((check.state !== 'works' && check.state !== 'broken') || check.figures === undefined) return ''
  const words = clockWords(check.figures.skewMs).replace(/[^.]$/, '$&.')
  return check.state === 'broken' && check.reason === 'zone' ? m.check_clock_zone({ words }) : words
}

function storageWords(check: Checks['storage']): string {
  if (check.state !== 'works' && check.state !== 'broken') return ''
  const { usedBytes, quotaBytes } = check.figures ?? {}
  if (check.state === 'works' && usedBytes === undefined) return m.check_storage_untold()
  const room = {
    used: formatSize(usedBytes ?? 0),
    quota: quotaBytes === undefined ? m.check_storage_quota_unknown() : formatSize(quotaBytes),
  }
  if (check.state === 'works') return check.figures.persistent ? m.check_storage_kept(room) : m.check_storage_loose(room)
  return { missing: m.check_storage_missing, not_writable: m.check_storage_not_writable, full: () => m.check_storage_full(room) }[
    check.reason
  ]()
}

function browserWords(check: Checks['browser']): string {
  if (check.state !== 'works') return m.check_browser_insecure()
  const { webRtc, webTransport, serviceWorker, webLocks } = check.figures
  const lacks = [
    webRtc ? [] : [m.check_figure_webrtc()],
    webTransport ? [] : [m.hop_webtransport()],
    serviceWorker ? [] : [m.check_browser_worker()],
    webLocks ? [] : [m.check_browser_locks()],
  ].flat()
  return lacks.length === 0 ? m.check_browser_works() : m.check_browser_lacks({ what: lacks.join(', ') })
}

function afterOf(check: { readonly afterMs?: number } | object): string {
  return formatDuration('afterMs' in check && check.afterMs !== undefined ? check.afterMs : 0)
}

const REACH: Record<Exclude<Reach, 'fast' | 'tunnel' | 'pending'>, () => string> = {
  no_hop: m.verdict_no_hop,
  offline: m.verdict_offline,
  portal: m.verdict_portal,
  no_bridge: m.verdict_no_bridge,
  trouble: m.verdict_trouble,
  insecure: m.verdict_insecure,
}

const DIRECT: Record<Direct, () => string> = {
  with_most: m.verdict_direct_with_most,
  with_some: m.verdict_direct_with_some,
  inside: m.verdict_direct_inside,
  proved: m.verdict_direct_proved,
  turn: m.verdict_direct_turn,
  udp_blocked: m.verdict_direct_udp_blocked,
  no_webrtc: m.verdict_direct_no_webrtc,
  webrtc_broken: m.verdict_direct_webrtc_broken,
  unknown: m.verdict_direct_unknown,
}

/** One or two sentences on top. Undefined before the first run. */
export function verdictWords({ state, verdict }: CheckUp): string | undefined {
  if (verdict === undefined) return undefined
  const { reach, direct, level, link } = verdict
  if (reach === 'pending' || level === 'pending')
    return state === 'running' ? m.verdict_running() : state === 'stopped' ? m.verdict_stopped() : m.verdict_untold()
  if (reach !== 'fast' && reach !== 'tunnel') return REACH[reach]()
  if (link.state !== 'online')
    return `${reach === 'fast' ? m.verdict_not_online() : m.verdict_not_online_tunnel()} ${whyNotOnline(link.code)}`
  if (level === 'good') return direct === 'turn' ? `${m.verdict_all()} ${DIRECT.turn()}` : m.verdict_all()
  if (reach === 'tunnel') return `${m.verdict_tunnel()} ${DIRECT[direct]()}`
  return GOOD.includes(direct) ? m.verdict_mend() : `${m.verdict_reachable()} ${DIRECT[direct]()}`
}

const GOOD: readonly Direct[] = ['with_most', 'inside', 'proved', 'turn']

function whyNotOnline(code: Parameters<typeof sentenceFor>[0] | undefined): string {
  if (code === undefined) return m.verdict_not_logged_in()
  // The check-up got through: what the last try met has passed.
  return code === 'unreachable' || code === 'timeout' ? m.verdict_comes_back() : sentenceFor(code)
}

const ADVICE: Record<Advice, () => string> = {
  join_network: m.advice_join_network,
  open_portal: m.advice_open_portal,
  wait_or_ask: m.advice_wait_or_ask,
  other_network: m.advice_other_network,
  use_https: m.advice_use_https,
  log_in: m.advice_log_in,
  set_clock: m.advice_set_clock,
  set_zone: m.advice_set_zone,
  free_storage: m.advice_free_storage,
  allow_storage: m.advice_allow_storage,
}

export function adviceWords({ verdict, state }: CheckUp): readonly string[] {
  return verdict === undefined || state === 'running' ? [] : verdict.advice.map((each) => ADVICE[each]())
}
