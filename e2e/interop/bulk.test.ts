import { streamPair } from '@libp2p/utils'
import { expect, it } from 'vitest'
import { answerBulk, askBulk } from './bulk.ts'

it('carries what was ordered, wherever in Node’s shared buffer the order arrives', async () => {
  // Several, because the first may happen to lie at its start.
  for (const order of [
    { up: 200_000, down: 0, pauseMs: 0 },
    { up: 0, down: 200_000, pauseMs: 0 },
    { up: 70_001, down: 130_003, pauseMs: 20 },
  ]) {
    const [asking, answering] = await streamPair()
    const answered = answerBulk(answering)
    expect(await askBulk(asking, order)).toMatchObject(order)
    await answered
    expect(answering.status).toBe('closed')
  }
})
