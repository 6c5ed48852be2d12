/**
 * When a peer of the operator's settings is dialled again: at once, then after 5, 15, 30 and 60 seconds, then every five minutes. Pure.
 * Shaken by a fifth, so that the bridges of a network do not all knock at the one that comes back.
 */
const STEPS_MS = [0, 5_000, 15_000, 30_000, 60_000, 300_000]
const SHAKEN = 0.2

/** @param attempts since it was connected. @param random from 0 to 1. */
export function redialAfterMs(attempts: number, random: number): number {
  const step = STEPS_MS[Math.min(attempts, STEPS_MS.length - 1)] ?? 0
  return Math.round(step * (1 - SHAKEN + 2 * SHAKEN * random))
}
