/** What the lab prints: a table for a person, or one JSON object a line. */
import type { HomeCell } from './homes.ts'
import type { NativeCell } from './natives.ts'
import { CUTS_SECONDS, type Cell } from './talks.ts'

export interface Report {
  /** Progress, to standard error. */
  note(line: string): void
  wrong(sentence: string): void
  skipped(sentence: string): void
  cells(cells: readonly Cell[]): void
  natives(cells: readonly NativeCell[]): void
  homes(cells: readonly HomeCell[]): void
  end(failed: number): void
}

export function createReport(json: boolean): Report {
  const startedAt = performance.now()
  const print = (line: string): void => void process.stdout.write(`${line}\n`)
  const table = (
    head: readonly string[],
    rows: readonly (readonly string[])[],
    cells: readonly { readonly wrong: readonly string[] }[],
  ): void => {
    const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)))
    for (const [index, row] of [head, ...rows].entries()) {
      const wrong = cells[index - 1]?.wrong ?? []
      print(`${wrong.length === 0 ? '    ' : 'FAIL'}  ${row.map((text, column) => text.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd())
      for (const sentence of wrong) print(`        ${sentence}`)
    }
  }
  return {
    note: (line) => void process.stderr.write(`${((performance.now() - startedAt) / 1000).toFixed(0).padStart(4)} s  ${line}\n`),
    wrong: (sentence) => print(json ? JSON.stringify({ kind: 'wrong', sentence }) : `FAIL  ${sentence}`),
    skipped: (sentence) =>
      print(
        json
          ? JSON.stringify({ kind: 'skipped', sentence })
          : `\n${'*'.repeat(sentence.length)}\n${sentence}\n${'*'.repeat(sentence.length)}\n`,
      ),
    cells(cells) {
      if (json) {
        for (const cell of cells) print(JSON.stringify({ kind: 'cell', ...rounded(cell) }))
        return
      }
      const head = [
        'alice',
        'bob',
        'first hops',
        'path',
        'first message',
        ...CUTS_SECONDS.map((seconds) => `after ${seconds} s`),
        'path in the end',
      ]
      const rows = cells.map((cell) => [
        cell.alice,
        cell.bob,
        `${cell.aliceHop}, ${cell.bobHop}`,
        cell.path ?? 'none',
        ms(cell.firstMessageMs),
        ...cell.recoveryMs.map(ms),
        cell.pathInTheEnd ?? 'none',
      ])
      table(head, rows, cells)
    },
    natives(cells) {
      if (json) {
        for (const cell of cells)
          print(JSON.stringify({ kind: 'native', ...cell, directMs: whole(cell.directMs), pingMs: whole(cell.pingMs) }))
        return
      }
      const rows = cells.map(({ dialler, listener, network, carrier, path, directMs, pingMs }) => [
        dialler,
        listener,
        network,
        carrier,
        path ?? 'none',
        path === 'direct' ? ms(directMs) : '',
        ms(pingMs),
      ])
      print('')
      table(['dialler', 'listener', 'networks', 'over', 'path', 'direct after', 'ping'], rows, cells)
    },
    homes(cells) {
      if (json) {
        for (const cell of cells) print(JSON.stringify({ kind: 'home', ...cell }))
        return
      }
      if (cells.length === 0) return
      print('')
      table(
        ['a bridge at home', 'what was seen'],
        cells.map(({ home, words }) => [home, words]),
        cells,
      )
    },
    end: (failed) =>
      print(json ? JSON.stringify({ kind: 'result', failed }) : failed === 0 ? 'every cell is as it has to be' : `${failed} failed`),
  }
}

const ms = (value: number | undefined): string => (value === undefined ? 'never' : `${Math.round(value)} ms`)

const whole = (value: number | undefined): number | undefined => (value === undefined ? undefined : Math.round(value))

function rounded(cell: Cell): object {
  return { ...cell, firstMessageMs: whole(cell.firstMessageMs), recoveryMs: cell.recoveryMs.map((value) => whole(value) ?? null) }
}
