/**
 * Counts facts by a few words each, such as a limit and a scope: for what nobody else counts. The words must come from a small set of our own.
 * Not here: how it is read (metrics.ts).
 */
import { MAX_SERIES_PER_METRIC } from '../limits.ts'
import type { MetricFamily, Sample } from './metrics.ts'

export interface Tally extends MetricFamily {
  /** @param words in the order of the family's labels. Beyond the cap of different ones, new ones are not counted. */
  count(...words: readonly string[]): void
}

export function createTally(family: Pick<MetricFamily, 'name' | 'help'> & { readonly labels: readonly string[] }): Tally {
  const counts = new Map<string, { readonly words: readonly string[]; value: number }>()
  return {
    ...family,
    type: 'counter',
    count(...words) {
      const key = words.join('\n')
      const entry = counts.get(key)
      if (entry !== undefined) entry.value++
      else if (counts.size < MAX_SERIES_PER_METRIC) counts.set(key, { words, value: 1 })
    },
    *read(): Iterable<Sample> {
      for (const { words, value } of counts.values())
        yield { value, labels: Object.fromEntries(family.labels.map((label, index) => [label, words[index] ?? ''])) }
    },
  }
}
