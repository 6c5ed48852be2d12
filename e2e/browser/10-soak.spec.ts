/**
 * `npm run soak` in small, so that it cannot rot: two hundred peers for half a minute, and everything that the long one looks at. No browser takes part.
 */
import { expect, test } from '@playwright/test'
import { Child } from '../helpers/child.ts'

test('two hundred peers come, see each other, talk, and leave nothing behind', async () => {
  test.setTimeout(240_000)
  const soak = new Child(['node', 'e2e/soak/run.ts', '--peers', '200', '--minutes', '0.5', '--json'])
  try {
    const { code, output } = await soak.exited
    const rows = output.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as Record<string, unknown>] : []))
    expect(
      rows.map(({ kind }) => kind),
      output,
    ).toEqual(['base', 'joined', 'idle', 'minute', 'held', 'circuits', 'left', 'result'])
    expect(code, output).toBe(0)
  } finally {
    await soak.stop()
  }
})
