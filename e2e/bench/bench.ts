/** What every bench gives back, and how it is shown. */

export interface Row {
  readonly bench: string
  readonly subject: string
  readonly metric: string
  readonly unit: string
  readonly value: number
}

export interface Bench {
  /** One line: what is compared with what. */
  readonly title: string
  /**
   * Before the run and outside its network: builds and finds what it needs. @returns the environment that the run gets beside ours.
   * @param flags those of the command line, `--` included; here and in `run`.
   */
  prepare(flags: readonly string[]): Promise<Readonly<Record<string, string>>>
  run(note: (line: string) => void, flags: readonly string[]): Promise<Row[]>
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/** Rounded to what the measurement can carry: three digits. */
export function print(row: Row): string {
  const value = Math.abs(row.value) >= 100 ? row.value.toFixed(0) : row.value.toPrecision(3)
  return `${row.subject.padEnd(28)} ${row.metric.padEnd(34)} ${value.padStart(9)} ${row.unit}`
}
