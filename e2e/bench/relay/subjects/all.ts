/** Every relay that can be measured, in the order of the table. */
import { barePipe } from './bare-pipe.ts'
import { footbridge } from './footbridge.ts'
import { go } from './go.ts'
import { localfirst } from './localfirst.ts'
import { stock } from './stock.ts'
import type { RelaySubject } from './subject.ts'

const SUBJECTS: readonly RelaySubject[] = [footbridge, stock, go, localfirst, barePipe]

/** Those that `--only=<id>,<id>` names; without it `fallback`, and without that all. @throws for a name that there is none of. */
export function chosen(flags: readonly string[], fallback: readonly string[] = SUBJECTS.map(({ id }) => id)): RelaySubject[] {
  const wanted =
    flags
      .find((flag) => flag.startsWith('--only='))
      ?.slice('--only='.length)
      .split(',') ?? fallback
  return wanted.map((id) => {
    const subject = SUBJECTS.find((each) => each.id === id)
    if (subject === undefined) throw new Error(`no relay '${id}': there are ${SUBJECTS.map((each) => each.id).join(', ')}`)
    return subject
  })
}

/** Those of them that can run here; says loudly which cannot. */
export function runnable(subjects: readonly RelaySubject[], note: (line: string) => void): RelaySubject[] {
  return subjects.filter((subject) => {
    const missing = subject.missing?.()
    note(missing === undefined ? `${subject.name}: ${subject.version}` : `LEFT OUT: ${subject.name}: ${missing}`)
    return missing === undefined
  })
}
