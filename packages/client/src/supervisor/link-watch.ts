/**
 * Whether the link to the bridge is alive, from when bytes last came over it: pure. A page does not see a WebSocket's own pings, so it asks with a
 * yamux ping (12 bytes, answered by the muxer) when it has heard nothing for a while. Any byte is a sign of life, so a link that is only busy is never
 * doubted. Doubt costs a second dial, not the link: whichever answers first is used.
 *
 * Five seconds is 2000 pings a second for a bridge with 10 000 idle browsers, each one frame in and one out.
 */

/** Silence after which the link is asked; jittered by a fifth either way, because all links of a restarted bridge begin together. */
const ASK_AFTER_MS = 5_000
/** No answer for so long: doubted. A round trip over a satellite is 0.7 s. */
const DOUBT_AFTER_MS = 2_500
/** On coming back to the page, the network or from sleep somebody is watching, and the link is dead more often than not. */
const HURRIED_DOUBT_AFTER_MS = 700
/** No answer for so long: dead, though no other link could be opened either. With the asking at most 20 s from the last byte. */
const DEAD_AFTER_MS = 13_500

export interface LinkSigns {
  /** When bytes last came, or when the link was opened. */
  readonly heardAt: number
  /** When the question was asked to which nothing has come yet. */
  readonly askedAt: number | undefined
  readonly isHurried: boolean
  /** Chosen once for each question. */
  readonly random: number
}

export type LinkVerdict = 'alive' | 'ask' | 'doubted' | 'dead'

export function judgeLink({ heardAt, askedAt, isHurried, random }: LinkSigns, now: number): LinkVerdict {
  if (askedAt === undefined) return isHurried || now - heardAt >= ASK_AFTER_MS * (0.8 + random * 0.4) ? 'ask' : 'alive'
  const waitedMs = now - askedAt
  if (waitedMs >= DEAD_AFTER_MS) return 'dead'
  return waitedMs >= (isHurried ? HURRIED_DOUBT_AFTER_MS : DOUBT_AFTER_MS) ? 'doubted' : 'alive'
}
