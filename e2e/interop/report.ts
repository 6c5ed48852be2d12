/** What the run prints: a table for a person, or one JSON object a line. */
import type { Kind } from './builds.ts'

export interface Result {
  readonly peer: Kind
  readonly cell: string
  readonly title: string
  /**
   * `none`: that implementation has no such part. `cannot`: tried, and stopped by
   * something known that is not ours. `not run`: it could not be asked here, and `words` says why. */
  readonly state: 'passed' | 'failed' | 'none' | 'cannot' | 'not run'
  /** What was seen, or why not. */
  readonly words: string
  readonly ms?: number
}

export interface Report {
  /** Progress, to standard error. */
  note(line: string): void
  /** Cannot be overlooked. */
  loud(sentence: string): void
  peers(versions: Readonly<Partial<Record<Kind, string>>>): void
  result(result: Result): void
  end(results: readonly Result[]): void
}

const MARKS: Readonly<Record<Result['state'], string>> = {
  passed: 'yes',
  failed: 'NO',
  none: 'has none',
  cannot: 'CANNOT',
  'not run': 'NOT RUN',
}

export function createReport(json: boolean): Report {
  const startedAt = performance.now()
  const print = (line: string): void => void process.stdout.write(`${line}\n`)
  return {
    note: (line) => void process.stderr.write(`${((performance.now() - startedAt) / 1000).toFixed(0).padStart(4)} s  ${line}\n`),
    loud: (sentence) =>
      print(
        json
          ? JSON.stringify({ kind: 'loud', sentence })
          : `\n${'*'.repeat(sentence.length)}\n${sentence}\n${'*'.repeat(sentence.length)}\n`,
      ),
    peers: (versions) => print(json ? JSON.stringify({ kind: 'peers', ...versions }) : Object.values(versions).join(', ')),
    result(result) {
      const { peer, cell, state, words, ms } = result
      this.note(
        `${peer.padEnd(4)}  ${cell.padEnd(22)}  ${MARKS[state].padEnd(8)}  ${words.split('\n')[0]?.slice(0, 200)}${ms === undefined ? '' : `  (${ms} ms)`}`,
      )
      if (json) print(JSON.stringify({ kind: 'cell', ...result }))
    },
    end(results) {
      const count = (state: Result['state']): number => results.filter((result) => result.state === state).length
      if (json) {
        print(
          JSON.stringify({
            kind: 'result',
            passed: count('passed'),
            failed: count('failed'),
            none: count('none'),
            cannot: count('cannot'),
            notRun: count('not run'),
          }),
        )
        return
      }
      const peers = [...new Set(results.map(({ peer }) => peer))]
      const titles = [...new Map(results.map(({ cell, title }) => [cell, title]))]
      const widest = Math.max(...titles.map(([, title]) => title.length))
      print(`\n${''.padEnd(widest)}  ${peers.map((peer) => peer.padEnd(8)).join('  ')}`.trimEnd())
      for (const [cell, title] of titles) {
        const marks = peers.map((peer) => {
          const result = results.find((each) => each.peer === peer && each.cell === cell)
          return (result === undefined ? '' : MARKS[result.state]).padEnd(8)
        })
        print(`${title.padEnd(widest)}  ${marks.join('  ')}`.trimEnd())
      }
      print('')
      for (const { peer, title, state, words } of results)
        if (state !== 'passed') print(`${MARKS[state]}  ${peer}: ${title}: ${words.replaceAll('\n', '\n        ')}`)
      print(
        `${count('passed')} as it has to be, ${count('failed')} not, ${count('cannot')} that something else stands in the way of, ${count('not run')} not run, ${count('none')} that there is nothing to ask of`,
      )
    },
  }
}
