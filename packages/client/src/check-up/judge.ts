/**
 * From what a check-up found to what it means: whether this device gets through to its bridge, whether paths to others can be direct, and what its person
 * can do. Pure; says nothing that was not found. Not here: sentences (the app's words/check-up.ts).
 */
import type { BridgeReason, Checks, CheckName, Link } from './facts.ts'

/**
 * Through to the bridge. `fast`: by WebTransport or WebSocket. `tunnel`: by plain requests alone. `no_hop`: the bridge answers requests, and no first hop
 * works. `pending`: not known, because it runs or was stopped.
 */
export type Reach = 'fast' | 'tunnel' | 'no_hop' | 'offline' | 'portal' | 'no_bridge' | 'trouble' | 'insecure' | 'pending'

/**
 * Past the bridge. `with_most`: others see one address of this device. `with_some`: each sees another, so that it takes an open network at the other end.
 * `inside`: the bridge is in the same network, and what is outside was not seen. `proved`: there is a direct path now. `turn`: by the operator's TURN server.
 */
export type Direct = 'with_most' | 'with_some' | 'inside' | 'proved' | 'turn' | 'udp_blocked' | 'no_webrtc' | 'webrtc_broken' | 'unknown'

/** What a person can do. */
export type Advice =
  | 'join_network'
  | 'open_portal'
  | 'wait_or_ask'
  | 'other_network'
  | 'use_https'
  | 'log_in'
  | 'set_clock'
  | 'set_zone'
  | 'free_storage'
  | 'allow_storage'

export interface Verdict {
  /** `good`: nothing to mend. `limited`: it works, not as well as it could. `bad`: it does not. */
  readonly level: 'good' | 'limited' | 'bad' | 'pending'
  readonly reach: Reach
  readonly direct: Direct
  readonly link: Link
  readonly advice: readonly Advice[]
}

const HOPS = ['webtransport', 'websocket', 'tunnel'] as const satisfies readonly CheckName[]

const GOOD: readonly Direct[] = ['with_most', 'inside', 'proved', 'turn']

const REACH_OF: Record<BridgeReason, Reach> = {
  offline: 'offline',
  portal: 'portal',
  trouble: 'trouble',
  no_answer: 'no_bridge',
  unreachable: 'no_bridge',
}

export function judge(checks: Checks, link: Link): Verdict {
  const reach = reachOf(checks, link)
  const direct = directOf(checks)
  const advice = adviceOf(checks, reach, link)
  return { level: levelOf(reach, direct, link, checks), reach, direct, link, advice }
}

function reachOf(checks: Checks, link: Link): Reach {
  const works = (...hops: readonly (typeof HOPS)[number][]): boolean =>
    hops.some((hop) => checks[hop].state === 'works' || (link.state === 'online' && link.over === hop))
  if (works('webtransport', 'websocket')) return 'fast'
  // A faster one may still answer.
  if (checks.bridge.state === 'running' || HOPS.some((hop) => checks[hop].state === 'running')) return 'pending'
  if (works('tunnel')) return 'tunnel'
  if (checks.browser.state === 'broken') return 'insecure'
  if (checks.bridge.state === 'broken') return REACH_OF[checks.bridge.reason]
  return HOPS.some((hop) => checks[hop].state === 'broken') ? 'no_hop' : 'pending'
}

function directOf({ udp, turn, webrtc, peers, webtransport }: Checks): Direct {
  if (webrtc.state === 'unsupported') return 'no_webrtc'
  if (peers.state === 'works' && peers.figures.direct > 0) return 'proved'
  if (webrtc.state === 'broken') return 'webrtc_broken'
  if (udp.state === 'works' && udp.figures.isInside) return 'inside'
  if (udp.state === 'works' && udp.figures.nat !== 'unknown') return udp.figures.nat === 'symmetric' ? symmetric(turn) : 'with_most'
  if (turn.state === 'works') return 'turn'
  // WebTransport is UDP: where it works, STUN alone is held back, and nobody knows what else is.
  if (udp.state === 'broken' && turn.state !== 'running' && webtransport.state !== 'works' && webtransport.state !== 'running')
    return 'udp_blocked'
  return 'unknown'
}

function symmetric(turn: Checks['turn']): Direct {
  return turn.state === 'works' ? 'turn' : 'with_some'
}

function levelOf(reach: Reach, direct: Direct, link: Link, checks: Checks): Verdict['level'] {
  if (reach === 'pending') return 'pending'
  if (reach !== 'fast' && reach !== 'tunnel') return 'bad'
  if (link.state !== 'online') return 'bad'
  if (Object.values(checks).some(({ state }) => state === 'running')) return 'pending'
  const isSound = checks.clock.state !== 'broken' && checks.storage.state !== 'broken'
  return reach === 'fast' && GOOD.includes(direct) && isSound ? 'good' : 'limited'
}

function adviceOf(checks: Checks, reach: Reach, link: Link): readonly Advice[] {
  const { clock, storage } = checks
  const advice: (Advice | false)[] = [
    reach === 'offline' && 'join_network',
    reach === 'portal' && 'open_portal',
    (reach === 'no_bridge' || reach === 'trouble') && 'wait_or_ask',
    (reach === 'no_hop' || reach === 'no_bridge') && 'other_network',
    reach === 'insecure' && 'use_https',
    reach === 'fast' && link.state !== 'online' && isUnknown(checks.tunnel, 'no_session') && 'log_in',
    clock.state === 'broken' && (clock.reason === 'zone' ? 'set_zone' : 'set_clock'),
    storage.state === 'broken' && (storage.reason === 'full' ? 'free_storage' : 'allow_storage'),
  ]
  return advice.filter((each) => each !== false)
}

function isUnknown(check: Checks[CheckName], because: string): boolean {
  return check.state === 'unknown' && check.because === because
}
