/**
 * When each first hop of a race begins: pure.
 *
 * WebTransport begins, the WebSocket 250 ms later, the tunnel when both have had their time; whoever won on this network before begins first instead, and
 * the others come behind it all the same. When none is running any more, the next begins at once.
 *
 * The figures. A hop behind a firewall that swallows packets shows nothing at all, so the tunnel cannot wait to be sure: at 1.2 s it begins, and takes four
 * or five round trips, so that with 200 ms of round trip a device that only has the tunnel is in after about two and a half seconds. A hop that is merely
 * slow shows something: once its first packets went through, which takes WebTransport two round trips and a WebSocket over TLS three, the tunnel waits a
 * second longer, in which a line of 300 ms ends the handshake. A proxy that lets the beginning through and then swallows costs that second.
 */
import type { HopKind } from './hop-kind.ts'

const HEAD_START_MS = 250
const TUNNEL_AFTER_MS = 1_200
/** From the sign that the network lets a hop through. */
const PATIENCE_MS = 1_000

/** One hop in a race, in the order in which they begin; times are milliseconds since the race began. */
export interface Runner {
  readonly kind: HopKind
  readonly startedAt: number | undefined
  /** When packets were seen to go there and back, before the handshake ended. */
  readonly throughAt: number | undefined
  readonly failed: boolean
}

/** Best first: what a link over each is worth once it stands. */
export const BEST_FIRST: readonly HopKind[] = ['webtransport', 'websocket', 'tunnel']

/** @param possible what can be dialled here and now. @param winner of this network's last race. */
export function startingOrder(possible: readonly HopKind[], winner: HopKind | undefined): HopKind[] {
  const order = BEST_FIRST.filter((kind) => possible.includes(kind))
  return winner === undefined ? order : order.toSorted((one, other) => Number(other === winner) - Number(one === winner))
}

/** The next to begin, and when; undefined when all have begun. */
export function nextStart(runners: readonly Runner[]): { readonly kind: HopKind; readonly at: number } | undefined {
  const next = runners.find(({ startedAt }) => startedAt === undefined)
  if (next === undefined) return undefined
  const running = runners.filter(({ startedAt, failed }) => startedAt !== undefined && !failed)
  if (running.length === 0) return { kind: next.kind, at: 0 }
  const lastStart = Math.max(...running.map(({ startedAt }) => startedAt ?? 0))
  if (next.kind !== 'tunnel') return { kind: next.kind, at: lastStart + HEAD_START_MS }
  const patience = running.flatMap(({ throughAt }) => (throughAt === undefined ? [] : [throughAt + PATIENCE_MS]))
  return { kind: next.kind, at: Math.max(TUNNEL_AFTER_MS, ...patience) }
}

/** The kinds that are better than this one. */
export function betterThan(kind: HopKind): readonly HopKind[] {
  return BEST_FIRST.slice(0, BEST_FIRST.indexOf(kind))
}
