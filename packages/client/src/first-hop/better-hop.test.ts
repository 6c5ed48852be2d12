import type { Connection } from '@libp2p/interface'
import type { SessionAnswer } from '@footbridge/shared/login'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createBetterHop, type BetterHop } from './better-hop.ts'
import type { HopKind } from './hop-kind.ts'
import { pause } from './test-line.ts'

interface Link {
  readonly kind: HopKind
}

/** A device and what its network has. */
class Device {
  kind: HopKind | undefined
  circuits = false
  available: HopKind[] = []
  looks: (readonly HopKind[])[] = []
  cuts: Link[] = []
  moves: HopKind[] = []
  /** Something that happens while a dial is underway. */
  meanwhile: () => void = () => undefined
  link: Link
  readonly better: BetterHop

  constructor(kind: HopKind) {
    this.kind = kind
    this.link = { kind }
    this.better = createBetterHop({
      hops: {
        current: () => this.link as unknown as Connection,
        dialBeside: async (_session, kinds, signal) => {
          this.looks.push(kinds)
          const found = kinds.find((each) => this.available.includes(each))
          await pause(100, signal)
          if (found === undefined) throw new AggregateError([], 'nothing better')
          const link = { kind: found }
          this.link = link
          this.meanwhile()
          return link as unknown as Connection
        },
        moveTo: () => ({ kind: this.link.kind, address: '', rttMs: undefined }),
      },
      kind: () => this.kind,
      session: () => ({}) as SessionAnswer,
      hasCircuits: () => this.circuits,
      cut: (link) => void this.cuts.push(link as unknown as Link),
      onMoved: ({ kind: moved }) => {
        this.kind = moved
        this.moves.push(moved)
      },
    })
  }
}

let device: Device
const minutes = (count: number): Promise<unknown> => vi.advanceTimersByTimeAsync(count * 60_000)

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  device.better.stop()
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})

test('a device on the tunnel looks now and then, and moves to what it finds', async () => {
  device = new Device('tunnel')
  device.circuits = true
  device.better.online()
  await minutes(16)
  expect(device.looks).toEqual(Array.from({ length: 4 }, () => ['webtransport', 'websocket']))
  device.available = ['websocket']
  await minutes(5)
  expect([device.moves, device.cuts]).toEqual([['websocket'], []])
})

test('a device on the best hop never looks', async () => {
  device = new Device('webtransport')
  device.better.online()
  await minutes(60)
  expect(device.looks).toEqual([])
})

test('another network is looked at soon', async () => {
  device = new Device('tunnel')
  device.available = ['webtransport']
  device.better.online()
  device.better.soon()
  await vi.advanceTimersByTimeAsync(3_000)
  expect(device.moves).toEqual(['webtransport'])
})

test('a device on the WebSocket leaves its circuits alone, and moves when there are none', async () => {
  device = new Device('websocket')
  device.available = ['webtransport']
  device.circuits = true
  device.better.online()
  await minutes(10)
  expect(device.looks).toEqual([])
  device.circuits = false
  await minutes(1.1)
  expect(device.moves).toEqual(['webtransport'])
})

test.each<[string, (device: Device) => void]>([
  ['a circuit was opened', (it) => (it.circuits = true)],
  ['the device went away', (it) => (it.kind = undefined)],
  ['another link was made', (it) => (it.link = { kind: 'websocket' })],
])('what was found is cut when %s meanwhile', async (_what, meanwhile) => {
  device = new Device('websocket')
  device.available = ['webtransport']
  device.meanwhile = () => meanwhile(device)
  device.better.online()
  await minutes(1)
  expect([device.moves, device.cuts]).toEqual([[], [{ kind: 'webtransport' }]])
})
