/**
 * 10 GB through a relay on the same circuits from first to last, with its memory at every GB after a forced collection: flat, or not.
 * The stock relay keeps what it has passed on as long as a circuit lives, so that a short run shows nothing.
 */
import type { Row } from '../bench.ts'
import { startLoadProcess } from './load/load.ts'
import { measureSetUp, settle, withCircuits, type Load } from './measure.ts'
import type { RelaySubject } from './subjects/subject.ts'

const GIGABYTES = 10
const MESSAGE_BYTES = 64 * 1024
const SLICE_MS = 1_000

export async function endure(subjects: readonly RelaySubject[], note: (line: string) => void): Promise<Row[]> {
  const rows: Row[] = []
  const load: Load = { receiver: startLoadProcess(), sender: startLoadProcess() }
  try {
    for (const subject of subjects) rows.push(...(await endureOne(subject, load, note)))
  } finally {
    await Promise.all([load.receiver.stop(), load.sender.stop()])
  }
  return rows
}

async function endureOne(subject: RelaySubject, load: Load, note: (line: string) => void): Promise<Row[]> {
  const rows: Row[] = []
  const row = (metric: string, bytes: number): Row => ({ bench: 'relay', subject: subject.name, metric, unit: 'MB', value: bytes / 1e6 })
  const relay = await subject.start()
  try {
    const started = await settle(relay, load)
    await measureSetUp(started, load, 4)
    const resident: number[] = []
    await withCircuits(started, load, started.names, 'sink', async (lines) => {
      const start = await load.receiver.received()
      let sent = 0
      for (let gigabyte = 0; gigabyte <= GIGABYTES; gigabyte++) {
        while (sent < gigabyte * 1e9) {
          sent += (await load.sender.pump(lines, MESSAGE_BYTES, SLICE_MS)) * MESSAGE_BYTES
          await load.receiver.receivedAtLeast(start + sent)
        }
        const { rss, held } = await relay.memory()
        resident.push(rss)
        rows.push(row(`resident after ${gigabyte} GB`, rss), row(`held after ${gigabyte} GB`, held))
        note(`${subject.name}, ${gigabyte} GB: ${(rss / 1e6).toFixed(0)} MB resident, ${(held / 1e6).toFixed(0)} MB held`)
      }
    })
    // The first gigabyte brings the buffers and compiled code that stay.
    rows.push(row(`growth from 1 GB to ${GIGABYTES} GB`, (resident.at(-1) ?? Number.NaN) - (resident[1] ?? Number.NaN)))
    return rows
  } finally {
    await relay.stop()
  }
}
