import type { Connection, Stream, StreamHandler } from '@libp2p/interface'
import type { Registrar } from '@libp2p/interface-internal'
import { ping } from '@libp2p/ping'
import { usedMemory } from '@footbridge/protocols/fuzz/test-fuzz'
import { ServedStream } from '@footbridge/protocols/fuzz/test-served-stream'
import { expect, it, vi } from 'vitest'
import { releasing, withReleasedStreams } from './released-streams.ts'

const connection = {} as Connection

/** libp2p's ping, as the bridge has it. */
async function pingHandler(): Promise<StreamHandler> {
  let given: StreamHandler | undefined
  const registrar = { handle: async (_protocol: string, handler: StreamHandler) => void (given = handler) } as unknown as Registrar
  const service = withReleasedStreams(ping())({ registrar } as never) as unknown as { start: () => Promise<void> }
  await service.start()
  if (given === undefined) throw new Error('ping has registered nothing')
  return given
}

it('lets go of a stream that has ended, though its deadline has not', async () => {
  const handler = await pingHandler()
  const serve = async (): Promise<WeakRef<Stream>> => {
    const stream = new ServedStream('/ipfs/ping/1.0.0')
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
    // Well before ping's ten seconds.
    { timeout: 5_000, interval: 50 },
  )
})

it('keeps a stream that its handler has returned from, until it is closed', async () => {
  let served: Stream | undefined
  const stream = new ServedStream('/test')
  await releasing((standIn) => void (served = standIn))(stream, connection)
  expect(served?.protocol).toBe('/test')
  served?.send(Uint8Array.of(7))
  served?.abort(new Error('over'))
  expect([stream.status, [...stream.sent()]]).toEqual(['aborted', [7]])
  expect(() => served?.abort(new Error('late'))).not.toThrow()
})

it('tells libp2p of a handler that fails', async () => {
  const failing = releasing(() => Promise.reject(new Error('no')))
  await expect(failing(new ServedStream('/test'), connection)).rejects.toThrow('no')
})
