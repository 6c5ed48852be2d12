import { expect, test } from 'vitest'
import { betterThan, nextStart, startingOrder, type Runner } from './plan.ts'

const waiting = (kind: Runner['kind']): Runner => ({ kind, startedAt: undefined, throughAt: undefined, failed: false })
const running = (kind: Runner['kind'], startedAt: number, throughAt?: number): Runner => ({ kind, startedAt, throughAt, failed: false })
const failed = (kind: Runner['kind']): Runner => ({ kind, startedAt: 0, throughAt: undefined, failed: true })

test.each<[Runner[], Runner['kind'], number, string]>([
  [[waiting('webtransport'), waiting('websocket'), waiting('tunnel')], 'webtransport', 0, 'the first begins at once'],
  [[running('webtransport', 0), waiting('websocket'), waiting('tunnel')], 'websocket', 250, 'the second after a head start'],
  [[running('webtransport', 0), running('websocket', 250), waiting('tunnel')], 'tunnel', 1_200, 'the tunnel when both had their time'],
  [[running('tunnel', 0), waiting('webtransport'), waiting('websocket')], 'webtransport', 250, 'behind a tunnel that won before'],
  [[running('tunnel', 0), running('webtransport', 250), waiting('websocket')], 'websocket', 500, 'and one more behind that'],
  [[failed('webtransport'), waiting('websocket'), waiting('tunnel')], 'websocket', 0, 'what failed hands on'],
  [[failed('webtransport'), running('websocket', 40), waiting('tunnel')], 'tunnel', 1_200, 'not while another has hardly begun'],
  [[failed('webtransport'), failed('websocket'), waiting('tunnel')], 'tunnel', 0, 'both failed: now'],
  [[running('webtransport', 0, 650), running('websocket', 250), waiting('tunnel')], 'tunnel', 1_650, 'a slow line showed that it works'],
  [[running('webtransport', 0), running('websocket', 250, 1_150), waiting('tunnel')], 'tunnel', 2_150, 'and so did the second'],
  [
    [running('webtransport', 0, 100), running('websocket', 250), waiting('tunnel')],
    'tunnel',
    1_200,
    'quick to begin and then silent: no longer than else',
  ],
])('%o: %s begins at %i: %s', (runners, kind, at) => {
  expect(nextStart(runners)).toEqual({ kind, at })
})

test('nothing is left when all have begun', () => {
  expect(nextStart([running('webtransport', 0), running('websocket', 250)])).toBeUndefined()
  expect(nextStart([])).toBeUndefined()
})

test('the best begins, unless another won here before', () => {
  expect(startingOrder(['tunnel', 'websocket', 'webtransport'], undefined)).toEqual(['webtransport', 'websocket', 'tunnel'])
  expect(startingOrder(['webtransport', 'websocket', 'tunnel'], 'tunnel')).toEqual(['tunnel', 'webtransport', 'websocket'])
  expect(startingOrder(['websocket', 'tunnel'], 'webtransport')).toEqual(['websocket', 'tunnel'])
})

test('each kind has those above it to look for', () => {
  expect(betterThan('tunnel')).toEqual(['webtransport', 'websocket'])
  expect(betterThan('webtransport')).toEqual([])
})
