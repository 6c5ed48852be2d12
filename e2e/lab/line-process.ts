/**
 * The line holder: every frame between a router and the core is with it for as long as the line is, and some are lost. Its argument is JSON, a line for each
 * UDP port; it prints one event when it listens.
 */
import { createSocket } from 'node:dgram'
import { LINE_ENDS_ADDRESS, LINE_HOLDER_ADDRESS } from './commands.ts'

export interface Line {
  readonly delayMs: number
  readonly lossPercent: number
}

/** Frames on their way, over all lines: 250 Mbit/s for 40 ms. More are lost, as in a full queue. */
const MAX_WAITING = 2_000
/** Of the VXLAN number in its header, which has three bytes; the last bit tells the two ends of a line from each other. */
const ID_OFFSET = 4

const lines = JSON.parse(process.argv[2] ?? '{}') as Record<string, Line>
let waiting = 0
for (const [port, line] of Object.entries(lines)) {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 8 << 20, sendBufferSize: 8 << 20 })
  socket.on('message', (frame) => {
    if (waiting >= MAX_WAITING || Math.random() * 100 < line.lossPercent) return
    frame[ID_OFFSET + 2]! ^= 1
    waiting++
    setTimeout(() => {
      waiting--
      socket.send(frame, Number(port), LINE_ENDS_ADDRESS)
    }, line.delayMs)
  })
  await new Promise<void>((resolve) => socket.bind(Number(port), LINE_HOLDER_ADDRESS, resolve))
}
process.stdout.write('{"event":"ready"}\n')
