/** Paths in words and as a span: the one place that decides which line is drawn for which state. Next: lib/components/Span.svelte paints it. */
import type { ConnectionState, FirstHop, Path, Peer, Upgrade } from '@footbridge/client/api'
import { formatClock, formatRoundTrip, secondsUntil } from '../format/time.ts'
import { m } from '../paraglide/messages.js'

/** `upgrading` is relayed with a direct path being tried: the arc and a moving line under it. */
export type SpanKind = 'direct' | 'relayed' | 'upgrading' | 'trying' | 'waiting' | 'trouble'

export function spanOfPeer(peer: Pick<Peer, 'path'>): SpanKind {
  switch (peer.path.kind) {
    case 'direct':
      return 'direct'
    case 'relayed':
      return peer.path.upgrade.state === 'trying' ? 'upgrading' : 'relayed'
    case 'none':
      return 'waiting'
  }
}

export function spanOfConnection(connection: ConnectionState): SpanKind {
  switch (connection.state) {
    case 'online':
      return 'direct'
    case 'arriving':
      return 'trying'
    case 'away':
      return 'trouble'
    case 'out':
    case 'other-tab':
      return 'waiting'
  }
}

/** One or two words for the badge. */
export function pathWord(peer: Pick<Peer, 'path' | 'online'>): string {
  switch (peer.path.kind) {
    case 'direct':
      return m.path_direct()
    case 'relayed':
      return m.path_relayed()
    case 'none':
      return peer.online ? m.path_none() : m.path_away()
  }
}

export function roundTripOf(path: Path): number | undefined {
  return path.kind === 'none' ? undefined : path.rttMs
}

/** "now direct, 12 ms": the line in a conversation when its path changes. Undefined when there is nothing to say. */
export function pathChangeWords(path: Path): string {
  if (path.kind === 'none') return m.path_now_none()
  const how = path.kind === 'direct' ? m.path_now_direct() : m.path_now_relayed()
  return path.rttMs === undefined ? how : m.path_now_with({ how, roundTrip: formatRoundTrip(path.rttMs) })
}

/** Why the path is what it is, for the sheet behind a badge. */
export function whyWords(peer: Pick<Peer, 'path' | 'online'>, name: string, now: number): string {
  switch (peer.path.kind) {
    case 'direct':
      return m.why_direct({ name })
    case 'none':
      return peer.online ? m.why_none({ name }) : m.why_away({ name })
    case 'relayed':
      return `${m.why_relayed({ name })} ${upgradeWords(peer.path.upgrade, now)}`
  }
}

function upgradeWords(upgrade: Upgrade, now: number): string {
  switch (upgrade.state) {
    case 'idle':
      return m.upgrade_idle()
    case 'trying':
      return m.upgrade_trying({ since: formatClock(upgrade.startedAt) })
    case 'failed':
      return m.upgrade_failed({ reason: upgrade.reason.replace(/\.$/, ''), seconds: secondsUntil(upgrade.retryAt, now) })
    case 'unsupported':
      return m.upgrade_unsupported()
  }
}

/** What the path runs over, by the name that engineers use. */
export function protocolOf(path: Path): string {
  switch (path.kind) {
    case 'direct':
      return 'WebRTC'
    case 'relayed':
      return 'Circuit relay v2'
    case 'none':
      return ''
  }
}

export function hopWord(kind: FirstHop['kind']): string {
  switch (kind) {
    case 'webtransport':
      return m.hop_webtransport()
    case 'websocket':
      return m.hop_websocket()
    case 'tunnel':
      return m.hop_tunnel()
  }
}

/** What such a first hop is, in a sentence. */
export function hopWhyWords(kind: FirstHop['kind']): string {
  switch (kind) {
    case 'webtransport':
      return m.hop_why_webtransport()
    case 'websocket':
      return m.hop_why_websocket()
    case 'tunnel':
      return m.hop_why_tunnel()
  }
}

export function connectionWord(connection: ConnectionState): string {
  switch (connection.state) {
    case 'online':
      return hopWord(connection.firstHop.kind)
    case 'arriving':
      return m.hop_arriving()
    case 'away':
      return m.hop_away()
    case 'other-tab':
      return m.hop_other_tab()
    case 'out':
      return m.hop_out()
  }
}
