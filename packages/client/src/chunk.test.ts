import { isFootbridgeError } from '@footbridge/shared/errors'
import { describe, expect, it } from 'vitest'
import { loadChunk } from './chunk.ts'

/** Fails so often, as a network does that changes under a request. */
function chunk(failures: number): { readonly load: () => Promise<string>; readonly tries: () => number } {
  let tries = 0
  return {
    load: () =>
      tries++ < failures ? Promise.reject(new TypeError('Failed to fetch dynamically imported module')) : Promise.resolve('part'),
    tries: () => tries,
  }
}

describe('loadChunk', () => {
  it('gives what comes at once, without a pause', async () => {
    const pauses: number[] = []
    const { load, tries } = chunk(0)
    await expect(loadChunk(load, async (ms) => void pauses.push(ms))).resolves.toBe('part')
    expect([tries(), pauses]).toEqual([1, []])
  })

  it('asks again for what was torn, with longer and longer pauses', async () => {
    const pauses: number[] = []
    await expect(loadChunk(chunk(3).load, async (ms) => void pauses.push(ms))).resolves.toBe('part')
    expect(pauses).toEqual(pauses.toSorted((one, other) => one - other))
    expect(pauses).toHaveLength(3)
  })

  it('says that nobody can be reached when it does not come at all, and stops asking', async () => {
    const { load, tries } = chunk(Infinity)
    const error = await loadChunk(load, () => Promise.resolve()).catch((caught: unknown) => caught)
    expect(isFootbridgeError(error, 'unreachable')).toBe(true)
    expect(tries()).toBe(4)
  })
})
