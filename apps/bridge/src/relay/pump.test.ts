/** What real streams cannot be made to show on demand: the order of calls. Everything else is in hop.test.ts, over real connections. */
import type { Stream } from '@libp2p/interface'
import { expect, it } from 'vitest'
import { startPump } from './pump.ts'

it('pauses only when a resume is through, which would undo it: libp2p delivers what waited and then opens the window', async () => {
  const calls: string[] = []
  const message = (): Event => Object.assign(new Event('message'), { data: new Uint8Array(64 * 1024) })
  const from = Object.assign(new EventTarget(), {
    readStatus: 'readable',
    remoteWriteStatus: 'writable',
    readableEnded: false,
    pause(): void {
      from.readStatus = 'paused'
      calls.push('pause')
    },
    resume(): void {
      from.readStatus = 'readable'
      from.dispatchEvent(message())
      calls.push('window opened')
    },
  })
  const to = Object.assign(new EventTarget(), { writableNeedsDrain: false, writeBufferLength: 0, send: () => false })
  const options = { from, to } as unknown as { from: Stream; to: Stream }
  startPump({ ...options, charge: () => ({ state: 'paid', waitMs: 0 }), fail: () => {}, closeMs: 1_000 })
  from.dispatchEvent(message())
  to.dispatchEvent(new Event('drain'))
  await new Promise<void>(queueMicrotask)
  expect(calls).toEqual(['pause', 'window opened', 'pause'])
  expect(from.readStatus).toBe('paused')
})
