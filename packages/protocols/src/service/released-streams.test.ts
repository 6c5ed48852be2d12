import type { Connection, Stream, StreamHandler } from '@libp2p/interface'
import { expect, it, vi } from 'vitest'
import { usedMemory } from '../fuzz/test-fuzz.ts'
import { ServedStream } from '../fuzz/test-served-stream.ts'
import { releasing, withReleasedStreams } from './released-streams.ts'

const connection = {} as Connection

/** As libp2p's ping does it. */
const echo: StreamHandler = async (stream) => {
  AbortSignal.timeout(60_000).addEventListener('abort', () => stream.abort(new Error('late')))
  for await (const bytes of stream) stream.send(bytes)
  await stream.close()
}

/** What a service has registered. */
async function registered(handler: StreamHandler): Promise<StreamHandler> {
  const given: StreamHandler[] = []
  const registrar = { handle: async (_protocol: string, handles: StreamHandler) => void given.push(handles) }
  await withReleasedStreams((components: { registrar: typeof registrar }) => components.registrar.handle('/echo', handler))({ registrar })
  if (given[0] === undefined) throw new Error('nothing was registered')
  return given[0]
}

it('lets go of a stream that has ended, though its deadline has not', async () => {
  const handler = await registered(echo)
  const serve = async (): Promise<WeakRef<Stream>> => {
    const stream = new ServedStream('/echo')
    const handled = handler(stream, connection)
    stream.give(Uint8Array.of(1, 2, 3))
    stream.end()
    await Promise.all([handled, stream.closed])
    expect([...stream.sent()]).toEqual([1, 2, 3])
    return new WeakRef(stream)
  }
  const left = await serve()
  await vi.waitFor(
    async () => {
      await usedMemory()
      expect(left.deref() === undefined).toBe(true)
    },
    { timeout: 20_000, interval: 50 },
  )
}, 30_000)

it('keeps a stream that its handler has returned from, until it is closed', async () => {
  let served: Stream | undefined
  const stream = new ServedStream('/echo')
  await releasing((standIn) => void (served = standIn))(stream, connection)
  expect(served?.protocol).toBe('/echo')
  served?.send(Uint8Array.of(7))
  served?.abort(new Error('over'))
  expect([stream.status, [...stream.sent()]]).toEqual(['aborted', [7]])
  expect(() => served?.abort(new Error('late'))).not.toThrow()
})

it('tells libp2p of a handler that fails', async () => {
  const failing = releasing(() => Promise.reject(new Error('no')))
  await expect(failing(new ServedStream('/echo'), connection)).rejects.toThrow('no')
})
