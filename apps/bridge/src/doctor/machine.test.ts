import { tmpdir } from 'node:os'
import { expect, test } from 'vitest'
import { checkMachine } from './machine.ts'

test.each([
  ['unlimited', 'ok'],
  ['32768', 'ok'],
  ['6000', 'warning'],
  ['1024', 'error'],
])('%s open files are %s', async (soft, state) => {
  const processLimits = `Max processes             95000                95000                processes\nMax open files            ${soft.padEnd(21)}524288               files\n`
  expect(await openFiles(processLimits)).toMatchObject({ state, found: `up to ${soft}, one for each connection` })
})

test('a system that does not say how many files may be open is not guessed at', async () => {
  expect(await openFiles(undefined)).toMatchObject({ state: 'unknown' })
})

async function openFiles(processLimits: string | undefined): Promise<unknown> {
  const facts = { nodeVersion: '24.0.0', dataDir: tmpdir(), processLimits, userId: undefined, wantsWebTransport: false }
  return (await checkMachine(facts)).find(({ id }) => id === 'open-files')
}
