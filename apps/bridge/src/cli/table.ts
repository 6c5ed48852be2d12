/**
 * Rows as an aligned table for a terminal: two spaces between columns, no rules, so that it can be copied and cut.
 */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => widthOf(row[column] ?? ''))))
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - widthOf(cell)))
      .join('  ')
      .trimEnd()
  return `${[head, ...rows].map(line).join('\n')}\n`
}

/** Characters as they are seen; good enough for names with accents and emoji, not for every script. */
function widthOf(text: string): number {
  let width = 0
  for (const { segment } of segmenter.segment(text))
    width += /\p{Extended_Pictographic}|\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}/u.test(segment) ? 2 : 1
  return width
}

const segmenter = new Intl.Segmenter()

/** Names come from strangers, and control characters are commands to a terminal. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}]/gu, '\u{fffd}')
}
