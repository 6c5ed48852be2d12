/**
 * What somebody probably meant who typed a name that there is not: for hints after a refusal, never for guessing in their place.
 */

/** Slips of the fingers that are still taken for the same word; a short word has many neighbours. */
const MAX_SLIPS = 2
const SHORT_LENGTH = 6

/** The known name that is the fewest slips away, whatever the case and the grouping; undefined when none is near. */
export function nearest(typed: string, known: Iterable<string>): string | undefined {
  const letters = plain(typed)
  let best: { readonly name: string; readonly slips: number } | undefined
  for (const name of known) {
    const candidate = plain(name)
    // The same letters in another order are one slip, however far they have moved.
    const slips = sorted(candidate) === sorted(letters) ? Math.min(1, countSlips(letters, candidate)) : countSlips(letters, candidate)
    if (slips < (best?.slips ?? Number.POSITIVE_INFINITY)) best = { name, slips }
  }
  const allowed = letters.length < SHORT_LENGTH ? 1 : MAX_SLIPS
  return best !== undefined && best.slips <= allowed ? best.name : undefined
}

const plain = (name: string): string => name.toLowerCase().replaceAll(/[^a-z0-9]/g, '')
const sorted = (letters: string): string => letters.split('').toSorted().join('')

/** Levenshtein's distance: letters put in, left out or changed. */
function countSlips(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (const [row, letter] of from.split('').entries()) {
    const current = [row + 1]
    for (const [column, other] of to.split('').entries()) {
      const changed = (previous[column] ?? 0) + (letter === other ? 0 : 1)
      current.push(Math.min(changed, (previous[column + 1] ?? 0) + 1, (current[column] ?? 0) + 1))
    }
    previous = current
  }
  return previous.at(-1) ?? 0
}
