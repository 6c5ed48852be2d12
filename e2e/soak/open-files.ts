/** How many files a process that we start may have open: the hard limit, to which Node raises its own at start. */
import { readFile } from 'node:fs/promises'

export async function openFilesAllowed(): Promise<number> {
  const [, hard] = /^Max open files\s+\S+\s+(\S+)/m.exec(await readFile('/proc/self/limits', 'utf8')) ?? []
  return hard === undefined || hard === 'unlimited' ? Number.POSITIVE_INFINITY : Number(hard)
}
