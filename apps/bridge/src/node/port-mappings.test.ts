import type { Gateway, MapPortOptions } from '@achingbrain/nat-port-mapper'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { holdingPorts } from './port-mappings.ts'

const HOME = '192.168.1.10'
const HOUR_MS = 3_600_000

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** A router that gives 8080 to somebody else, and remembers what it was asked. */
function createRouter(): { readonly gateway: Gateway; readonly asked: string[]; readonly closed: () => number } {
  const asked: string[] = []
  let closed = 0
  const mappings = new Map<number, unknown[]>()
  const gateway = {
    mappings,
    id: 'router',
    map: async (internalPort: number, internalHost: string, { protocol = 'TCP', externalPort = internalPort }: MapPortOptions = {}) => {
      asked.push(`add ${protocol} ${externalPort}`)
      mappings.set(internalPort, [...(mappings.get(internalPort) ?? []), protocol])
      const given = externalPort === 8080 && protocol === 'TCP' ? 8090 : externalPort
      return { internalPort, internalHost, externalHost: '11.0.0.1', externalPort: given, protocol }
    },
    getGateway: async () => ({
      run: async (_service: string, action: string, args: [string, unknown][]) =>
        void asked.push([action, ...args.map(([, value]) => value)].join(' ')),
    }),
    stop: async () => {
      // As the library does: what is on its list is asked to go by its number.
      for (const port of mappings.keys()) asked.push(`unmap ${port}`)
      closed++
    },
  }
  return { gateway: holdingPorts(gateway as unknown as Gateway, { error: () => {} }), asked, closed: () => closed }
}

test('TCP and UDP on one number are both given back at the stop, each by its protocol and by the number that the router gave', async () => {
  const { gateway, asked, closed } = createRouter()
  await gateway.map(8080, HOME, { protocol: 'TCP' })
  await gateway.map(8080, HOME, { protocol: 'UDP' })
  asked.length = 0
  await gateway.stop()
  expect(asked).toEqual(['DeletePortMapping  8090 TCP', 'DeletePortMapping  8080 UDP'])
  await gateway.stop()
  expect(asked).toHaveLength(2)
  expect(closed()).toBe(2)
})

test('what is held is asked for twice in a lease, at the number outside, and no more often after a day', async () => {
  const { gateway, asked } = createRouter()
  await gateway.map(8080, HOME, { protocol: 'TCP' })
  await gateway.map(8080, HOME, { protocol: 'UDP' })
  await vi.advanceTimersByTimeAsync(23 * HOUR_MS)
  asked.length = 0
  await vi.advanceTimersByTimeAsync(HOUR_MS)
  expect(asked.toSorted()).toEqual(['add TCP 8090', 'add TCP 8090', 'add UDP 8080', 'add UDP 8080'])
  await gateway.stop()
  asked.length = 0
  await vi.advanceTimersByTimeAsync(HOUR_MS)
  expect(asked).toEqual([])
})

test('a port that the router gives only after the stop is given back at once', async () => {
  const { gateway, asked } = createRouter()
  const late = gateway.map(8081, HOME, { protocol: 'UDP' })
  await gateway.stop()
  await late
  expect(asked).toEqual(['add UDP 8081', 'DeletePortMapping  8081 UDP'])
  await vi.advanceTimersByTimeAsync(HOUR_MS)
  expect(asked).toHaveLength(2)
})

test('a port that is not wanted any longer goes with both its protocols, and others stay', async () => {
  const { gateway, asked } = createRouter()
  await gateway.map(8081, HOME, { protocol: 'TCP' })
  await gateway.map(8082, HOME, { protocol: 'UDP' })
  asked.length = 0
  await gateway.unmap(8081)
  expect(asked).toEqual(['DeletePortMapping  8081 TCP'])
})
