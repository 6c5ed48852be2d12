/** A word of a list that may grow: a reader takes one that it does not know for `other`, so that later senders can add some. */
import * as v from 'valibot'

export const word = <const Words extends readonly string[]>(words: Words): v.GenericSchema<unknown, Words[number] | 'other'> =>
  v.pipe(
    v.string(),
    v.maxLength(32),
    v.transform((text) => words.find((known): known is Words[number] => known === text) ?? ('other' as const)),
  )
