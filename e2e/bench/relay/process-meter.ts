/** What a process has used, as the system counts it: the same for Node and Go. Linux only. */
import { readFileSync } from 'node:fs'

/** USER_HZ, which /proc counts in: 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100

/** Seconds of processor time of all its threads, its own and the system's for it. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The name in brackets may hold anything; utime and stime are the 12th and 13th fields after it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

/** Resident bytes. */
export function residentBytes(pid: number): number {
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(found?.[1]) * 1024
}
