/** Where everybody stands in the picture of the network: you in the middle, the bridge above, peers in an arc around below. Pure, in units of the picture. */
export const PICTURE = { width: 400, height: 400 } as const
export const YOU = { x: 200, y: 205 } as const
export const BRIDGE = { x: 200, y: 56 } as const

/** More would not be told apart on a phone; the list below the picture has them all. */
export const MAX_SHOWN = 8

export interface Point {
  readonly x: number
  readonly y: number
}

const FIRST_ANGLE = -20
const LAST_ANGLE = 200
const RADIUS_ACROSS = 154
const RADIUS_DOWN = 140

/** The places of `count` peers, from the right over the bottom to the left, clear of the bridge. */
export function placesFor(count: number): Point[] {
  const shown = Math.min(count, MAX_SHOWN)
  return Array.from({ length: shown }, (_, index) => {
    const share = shown === 1 ? 0.5 : index / (shown - 1)
    const spread = Math.min(1, (shown + 1) / 5)
    const middle = (FIRST_ANGLE + LAST_ANGLE) / 2
    const angle = middle + (share - 0.5) * (LAST_ANGLE - FIRST_ANGLE) * spread
    const radians = (angle * Math.PI) / 180
    return { x: YOU.x + Math.cos(radians) * RADIUS_ACROSS, y: YOU.y + Math.sin(radians) * RADIUS_DOWN }
  })
}
