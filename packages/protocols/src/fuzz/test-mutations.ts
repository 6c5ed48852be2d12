/**
 * For tests: bad input from a seed. The same seed gives the same inputs, so that a failure can be had again (`FUZZ_SEED=<seed>`).
 */

export interface Random {
  /** 0 to `limit` - 1. */
  readonly below: (limit: number) => number
  readonly bytes: (length: number) => Uint8Array
  readonly pick: <Value>(from: readonly Value[]) => Value
}

/** FUZZ_SEED, or another one at every run. */
export function chooseSeed(): number {
  return Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 31)
}

/** Mulberry32. */
export function createRandom(seed: number): Random {
  let state = seed
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
  const below = (limit: number): number => next() % limit
  return {
    below,
    bytes: (length) => Uint8Array.from({ length }, () => next() & 0xff),
    pick: <Value>(from: readonly Value[]) => from[below(from.length)] as Value,
  }
}

const HUGE_VARINTS: readonly (readonly number[])[] = [
  [0xff, 0xff, 0xff, 0xff, 0x0f],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
  [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
  [0x80, 0x00],
]

const splice = (bytes: Uint8Array, at: number, remove: number, insert: ArrayLike<number>): Uint8Array =>
  Uint8Array.from([...bytes.subarray(0, at), ...Array.from(insert), ...bytes.subarray(at + remove)])

/** Ways of spoiling a protobuf message. */
const MUTATIONS: readonly ((bytes: Uint8Array, random: Random) => Uint8Array)[] = [
  // Cut off.
  (bytes, { below }) => bytes.slice(0, below(bytes.length + 1)),
  // One bit.
  (bytes, { below }) =>
    bytes.length === 0 ? bytes : bytes.map((byte, index, { length }) => (index === below(length) ? byte ^ (1 << below(8)) : byte)),
  // A byte too many, or one too few.
  (bytes, { below, bytes: random }) => splice(bytes, below(bytes.length + 1), 0, random(1)),
  (bytes, { below }) => splice(bytes, below(bytes.length + 1), 1, []),
  // A number or length that claims anything.
  (bytes, { below, pick }) => splice(bytes, below(bytes.length + 1), 1, pick(HUGE_VARINTS)),
  // Fields twice, and the whole message twice.
  (bytes) => splice(bytes, 0, 0, bytes),
  // Groups, fixed widths, wire types that do not exist, field numbers from 0 to beyond the last.
  (bytes, { below, bytes: random }) => splice(bytes, below(bytes.length + 1), 0, [(below(32) << 3) | (3 + below(5)), ...random(below(9))]),
  (bytes, { below, pick }) => splice(bytes, bytes.length, 0, [...pick(HUGE_VARINTS), below(256)]),
  // Enums and types that nobody has heard of.
  (bytes, { below, pick }) => splice(bytes, 0, 2, [0x08, ...pick([[below(128)], ...HUGE_VARINTS])]),
  // Bytes where a number belongs, and the other way round.
  (bytes, { below }) => (bytes.length === 0 ? bytes : bytes.map((byte, index, { length }) => (index === below(length) ? byte ^ 2 : byte))),
  // A field that fills the message and more.
  (bytes, { below, bytes: random }) =>
    splice(bytes, below(bytes.length + 1), 0, [0x12, 0x80, 0x20, ...random(below(2) === 0 ? 64 : 4_096)]),
]

/** A valid message, spoiled one to three times. */
export function mutate(message: Uint8Array, random: Random): Uint8Array {
  let bytes = message
  for (let times = 1 + random.below(3); times > 0; times--) bytes = random.pick(MUTATIONS)(bytes, random)
  return bytes
}
