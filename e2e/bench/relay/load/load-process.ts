/**
 * A load process: does what it is asked over the IPC channel, one request at a time or several. Started twice by load.ts, once to receive and once to send.
 * Not here: what is asked when (../measure.ts).
 */
import type { RelayEntry } from '../subjects/subject.ts'
import { received, type Driver, type Kind, type Line } from './driver.ts'
import { createLibp2pDriver } from './libp2p.ts'
import { createWebSocketDriver } from './web-socket.ts'

/** Written in one turn of the event loop before others get theirs. */
const BURST_BYTES = 16 * 1024

const drivers: Readonly<Record<RelayEntry['protocol'], Driver>> = { libp2p: createLibp2pDriver(), ws: createWebSocketDriver() }
const lines = new Map<number, Line>()
let lastLine = 0
let pumping = false

const keep = (line: Line): number => {
  lines.set(++lastLine, line)
  return lastLine
}

const lineOf = (id: number): Line => {
  const line = lines.get(id)
  if (line === undefined) throw new Error(`no line ${id}`)
  return line
}

async function pumpOne(line: Line, payload: Uint8Array, until: number): Promise<number> {
  const burst = Math.max(1, Math.floor(BURST_BYTES / payload.length))
  let messages = 0
  while (pumping && performance.now() < until) {
    for (let i = 0; i < burst; i++) {
      messages++
      if (!line.send(payload)) await line.drained()
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
  return messages
}

const requests = {
  listen: (entry: RelayEntry, count: number) => drivers[entry.protocol].listen(entry, count),
  unlisten: (entry: RelayEntry, names: readonly string[]) => drivers[entry.protocol].unlisten(names),
  offer: (entry: RelayEntry, names: readonly string[], kind: Kind) => drivers[entry.protocol].offer(entry, names, kind),
  listenDirect: (protocol: RelayEntry['protocol']) => drivers[protocol].listenDirect(),
  received: () => Promise.resolve(received.bytes),

  /** Resolves when `bytes` have arrived since the start of the process. */
  async receivedAtLeast(bytes: number) {
    await new Promise<void>((resolve) => {
      received.changed = () => {
        if (received.bytes < bytes) return
        received.changed = () => {}
        resolve()
      }
      received.changed()
    })
    return received.bytes
  },

  /** One circuit to each target, each on a lane of its own as far as `lanes` reach; one at a time on each lane. @returns their ids. */
  async open(entry: RelayEntry, targets: readonly string[], lanes: number, kind: Kind) {
    const opened: number[] = []
    const openLane = async (lane: number): Promise<void> => {
      for (let i = lane; i < targets.length; i += lanes)
        opened.push(keep(await drivers[entry.protocol].open(entry, targets[i] ?? '', lane, kind)))
    }
    await Promise.all(Array.from({ length: lanes }, (_, lane) => openLane(lane)))
    return opened
  },
  openDirect: async (protocol: RelayEntry['protocol'], address: string) => keep(await drivers[protocol].openDirect(address)),

  /** Sends messages of `size` bytes on all lines for `ms`, or until `halt`. @returns how many. */
  async pump(ids: readonly number[], size: number, ms: number) {
    pumping = true
    const [payload, until] = [new Uint8Array(size), performance.now() + ms]
    const sent = await Promise.all(ids.map((id) => pumpOne(lineOf(id), payload, until)))
    return sent.reduce((sum, messages) => sum + messages, 0)
  },
  halt() {
    pumping = false
    return Promise.resolve()
  },

  /** One message at a time, there and back. @returns milliseconds each. */
  async roundTrips(id: number, size: number, rounds: number) {
    const [line, payload, times] = [lineOf(id), new Uint8Array(size), [] as number[]]
    let missing = 0
    let done = (): void => {}
    line.onData((bytes) => {
      missing -= bytes
      if (missing === 0) done()
    })
    for (let round = 0; round < rounds; round++) {
      const startedAt = performance.now()
      const back = new Promise<void>((resolve) => (done = resolve))
      missing = size
      line.send(payload)
      await back
      times.push(performance.now() - startedAt)
    }
    return times
  },

  async close(ids: readonly number[]) {
    await Promise.all(ids.map((id) => lineOf(id).close()))
    for (const id of ids) lines.delete(id)
  },
}

export type Requests = typeof requests

process.on('message', ({ id, name, args }: { id: number; name: keyof Requests; args: never[] }) => {
  const handle = requests[name] as (...given: never[]) => Promise<unknown>
  handle(...args).then(
    (value) => process.send?.({ id, value }),
    (error: unknown) => process.send?.({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  )
})
process.once('disconnect', () => process.exit(0))
