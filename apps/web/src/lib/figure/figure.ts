/**
 * The figure of a peer: a small signal flag drawn from the PeerID alone, so that it is the same on every device and for ever.
 * A pattern, two or three colours that differ in lightness (so that 24 pixels and colour-blind eyes suffice) and an emblem.
 * Not here: how it is painted (lib/components/Figure.svelte).
 */

/** Fixed in both themes: a figure is a mark of somebody, not part of the page. */
const DARK = ['#12404d', '#3b2f63', '#7a1f3d', '#1f5a3a', '#8a4b0f', '#274690', '#5b3a29', '#0f6b6b'] as const
const LIGHT = ['#f4efe2', '#f6c453', '#8fd3c8', '#f3a18b', '#b9cdf5', '#cfe3a4', '#eeb8d8'] as const

export const PATTERNS = [
  'halves',
  'stripes',
  'thirds',
  'cross',
  'saltire',
  'quarters',
  'diagonal',
  'border',
  'chevron',
  'pale',
  'waves',
  'gyron',
] as const
export type Pattern = (typeof PATTERNS)[number]
export const EMBLEMS = ['none', 'disc', 'square', 'bar'] as const
export type Emblem = (typeof EMBLEMS)[number]

export interface FigureSpec {
  readonly pattern: Pattern
  readonly emblem: Emblem
  readonly ground: string
  readonly mark: string
  readonly accent: string
  /** Quarter turns of the whole flag. */
  readonly turns: 0 | 1 | 2 | 3
}

/** @param peer a PeerID's text; any other text works as well and gives a figure of its own. */
export function figureOf(peer: string): FigureSpec {
  const pick = createPicker(peer)
  const darkGround = pick(2) === 0
  const dark = DARK[pick(DARK.length)] ?? DARK[0]
  const light = LIGHT[pick(LIGHT.length)] ?? LIGHT[0]
  const accent = LIGHT[(LIGHT.indexOf(light) + 1 + pick(LIGHT.length - 1)) % LIGHT.length] ?? LIGHT[0]
  return {
    pattern: PATTERNS[pick(PATTERNS.length)] ?? 'halves',
    emblem: EMBLEMS[pick(EMBLEMS.length)] ?? 'none',
    ground: darkGround ? dark : light,
    mark: darkGround ? light : dark,
    accent,
    turns: pick(4) as FigureSpec['turns'],
  }
}

/** Even numbers below `count`, one after another, from the text's FNV-1a hash stirred by xorshift. Not for secrets. */
function createPicker(text: string): (count: number) => number {
  let state = 0x811c9dc5
  for (let index = 0; index < text.length; index++) state = Math.imul(state ^ text.charCodeAt(index), 0x01000193)
  state = state === 0 ? 1 : state
  return (count) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    // The high bits: the low ones of FNV-1a follow the last character too closely.
    return Math.floor(((state >>> 0) / 2 ** 32) * count)
  }
}
