import { beforeEach, expect, test } from 'vitest'
import { createBrake, type Brake } from './brake.ts'

let now: number
let brake: Brake

beforeEach(() => {
  now = 0
  brake = createBrake(() => now)
})

test('the WebSocket may always be dialled, the others one at a time', () => {
  const ends = (['webtransport', 'websocket', 'tunnel'] as const).map((kind) => brake.begin(kind))
  expect(brake.mayBegin('websocket', undefined)).toBe(true)
  expect(brake.mayBegin('webtransport', undefined)).toBe(false)
  expect(brake.mayBegin('tunnel', 'tunnel')).toBe(false)
  for (const end of ends) end('succeeded')
  expect(brake.mayBegin('webtransport', undefined)).toBe(true)
  expect(brake.mayBegin('tunnel', undefined)).toBe(true)
})

test.each(['webtransport', 'tunnel'] as const)('a %s that failed rests ever longer, up to a minute', (kind) => {
  for (const pauseMs of [5_000, 10_000, 20_000, 40_000, 60_000, 60_000]) {
    brake.begin(kind)('failed')
    now += pauseMs - 1
    expect(brake.mayBegin(kind, undefined)).toBe(false)
    now += 1
    expect(brake.mayBegin(kind, undefined)).toBe(true)
  }
})

test('where the tunnel won before, it does not rest', () => {
  brake.begin('tunnel')('failed')
  expect(brake.mayBegin('tunnel', undefined)).toBe(false)
  expect(brake.mayBegin('tunnel', 'tunnel')).toBe(true)
})

test('a dial that another was quicker than says nothing, one that hung does', () => {
  const beaten = brake.begin('webtransport')
  now += 300
  beaten('called-off')
  expect(brake.mayBegin('webtransport', undefined)).toBe(true)
  const hung = brake.begin('webtransport')
  now += 3_000
  hung('called-off')
  expect(brake.mayBegin('webtransport', undefined)).toBe(false)
})

test('another network begins anew', () => {
  brake.begin('webtransport')('failed')
  brake.release()
  expect(brake.mayBegin('webtransport', undefined)).toBe(true)
})

test('a WebSocket that hung rests where only the tunnel came in, and is in every try anywhere else', () => {
  const ended = brake.begin('websocket')
  expect([brake.mayBegin('websocket', 'tunnel'), brake.mayBegin('websocket', 'websocket')]).toEqual([false, true])
  now = 2_000
  ended('called-off')
  expect([brake.mayBegin('websocket', 'tunnel'), brake.mayBegin('websocket', undefined)]).toEqual([false, true])
  now = 7_000
  expect(brake.mayBegin('websocket', 'tunnel')).toBe(true)
})
