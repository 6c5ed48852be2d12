import { createConnection, createServer, type AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { startDelayProxy } from './delay-proxy.ts'

const cleanup: (() => unknown)[] = []
afterEach(async () => {
  for (const stop of cleanup.splice(0).toReversed()) await stop()
})

/** An echo behind a proxy. @returns what came back and when, in ms since the connection was asked for. */
async function echo(oneWayMs: number, messages: readonly string[]): Promise<{ text: string; ms: number }> {
  const server = createServer((socket) => socket.pipe(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanup.push(() => new Promise((resolve) => server.close(resolve)))
  const proxy = await startDelayProxy((server.address() as AddressInfo).port, oneWayMs)
  cleanup.push(() => proxy.stop())

  const startedAt = performance.now()
  const client = createConnection(proxy.port, '127.0.0.1')
  cleanup.push(() => client.destroy())
  for (const message of messages) client.write(message)
  let text = ''
  await new Promise<void>((resolve) => {
    client.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      if (text.length >= messages.join('').length) resolve()
    })
  })
  return { text, ms: performance.now() - startedAt }
}

describe('the delay proxy', () => {
  test('takes two round trips for the first answer on a new connection, as a line of that length does', async () => {
    const { text, ms } = await echo(40, ['hello'])
    expect(text).toBe('hello')
    expect(ms).toBeGreaterThanOrEqual(158)
  })

  test('keeps the order of many small writes', async () => {
    const messages = Array.from({ length: 500 }, (_, index) => `${index},`)
    expect((await echo(5, messages)).text).toBe(messages.join(''))
  })
})
