import { prometheusMetrics } from '@libp2p/prometheus-metrics'
import { expect, it } from 'vitest'
import { MAX_SERIES_PER_METRIC, METRICS_REUSE_MS } from '../limits.ts'
import { createLog, libp2pLogger } from './log.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { multiaddr } from '@multiformats/multiaddr'
import { createListenMetrics, transportOf, type TransportKind } from './node-metrics.ts'
import { one } from './relay-metrics.ts'
import { rendezvousMetrics } from './rendezvous-metrics.ts'
import { createTally } from './tally.ts'

function open(): { readonly metrics: Metrics; readonly time: { now: number } } {
  const time = { now: 0 }
  return { time, metrics: createMetrics({ dataDir: '.', clock: () => time.now }) }
}

it('a family is asked when somebody reads, and a text is given again for a moment', async () => {
  const { metrics, time } = open()
  let value = 1
  metrics.add([one('footbridge_value', 'gauge', 'A value', () => value)])
  expect(await metrics.read()).toContain('footbridge_value 1\n')
  value = 2
  expect(await metrics.read()).toContain('footbridge_value 1\n')
  time.now = METRICS_REUSE_MS
  expect(await metrics.read()).toContain('footbridge_value 2\n')
  value = 3
  time.now = -METRICS_REUSE_MS
  expect(await metrics.read()).toContain('footbridge_value 3\n')
})

it('a family that fails does not stay failed', async () => {
  const { metrics } = open()
  let fails = true
  metrics.add([
    one('footbridge_value', 'counter', 'A value', () => {
      if (fails) throw new Error('not now')
      return 1
    }),
  ])
  await expect(metrics.read()).rejects.toThrow('not now')
  fails = false
  expect(await metrics.read()).toContain('# TYPE footbridge_value counter\nfootbridge_value 1\n')
})

it('a metric has no more series than the cap, whatever its labels are made of', async () => {
  const { metrics } = open()
  const tally = createTally({ name: 'footbridge_words_total', help: 'Words', labels: ['word'] })
  const endless = function* () {
    for (let index = 0; ; index++) yield { value: 1, labels: { word: String(index) } }
  }
  metrics.add([tally, { name: 'footbridge_endless', type: 'gauge', help: 'Endless', labels: ['word'], read: endless }])
  for (let index = 0; index < MAX_SERIES_PER_METRIC + 5; index++) tally.count(`word ${index}`)
  tally.count('word 0')
  const text = await metrics.read()
  expect(text.match(/^footbridge_words_total\{/gm)).toHaveLength(MAX_SERIES_PER_METRIC)
  expect(text.match(/^footbridge_endless\{/gm)).toHaveLength(MAX_SERIES_PER_METRIC)
  expect(text).toContain('footbridge_words_total{word="word 0"} 2\n')
})

it('libp2p counts into the same text, and wraps neither connections nor streams', async () => {
  const { metrics } = open()
  const logger = libp2pLogger(createLog({ level: 'silent' }))
  const libp2p = metrics.libp2p({ logger })
  libp2p.registerCounter('libp2p_something_total').increment()
  const stream = { protocol: '/x', send: () => true, dispatchEvent: () => true }
  const before = { ...stream }
  libp2p.trackProtocolStream(stream as never)
  libp2p.trackMultiaddrConnection(stream as never)
  expect(stream).toEqual(before)
  expect(libp2p.registerMetricGroup('libp2p_connection_manager_protocol_streams_per_connection_90th_percentile', {})).toBeUndefined()
  const text = await metrics.read()
  expect(text).toContain('libp2p_something_total 1\n')
  expect(text).not.toContain('libp2p_data_transfer_bytes_total')
  expect(text).not.toContain('90th_percentile')
  // What is left out is still there to be left out.
  const theirs = prometheusMetrics({ collectDefaultMetrics: false })({ logger })
  theirs.trackProtocolStream(stream as never)
  expect(stream.send).not.toBe(before.send)
})

it('a rendezvous server’s numbers have the names that are known', async () => {
  const { metrics } = open()
  metrics.add(
    rendezvousMetrics({
      totals: () => ({ served: 1, notServed: 2, registered: 3, rejected: 4, unregistered: 5, expired: 6 }),
      size: () => 7,
    }),
  )
  const text = await metrics.read()
  for (const line of [
    'rendezvous_discover_total{result="served"} 1',
    'rendezvous_discover_total{result="not_served"} 2',
    'rendezvous_registrations_total{result="registered"} 3',
    'rendezvous_registrations_total{result="rejected"} 4',
    'rendezvous_registrations_total{result="unregistered"} 5',
    'rendezvous_registrations_total{result="expired"} 6',
    'footbridge_rendezvous_registrations 7',
  ])
    expect(text).toContain(`${line}\n`)
})

it('listen events are counted from the start of the node to its stop', async () => {
  const { metrics } = open()
  const { families, service } = createListenMetrics(['relay_listen_events_total', 'rendezvous_listen_events_total'])
  metrics.add(families)
  const events = new EventTarget()
  const counting = service({ events: events as never })
  events.dispatchEvent(new Event('transport:listening'))
  await counting.start()
  for (const type of ['transport:listening', 'transport:listening', 'transport:close']) events.dispatchEvent(new Event(type))
  await counting.stop()
  events.dispatchEvent(new Event('transport:close'))
  const text = await metrics.read()
  expect(text).toContain('relay_listen_events_total 3\n')
  expect(text).toContain('rendezvous_listen_events_total 3\n')
})

it.each<[string, TransportKind]>([
  ['/ip4/192.0.2.1/tcp/1', 'tcp'],
  ['/ip4/192.0.2.1/tcp/1/ws', 'websocket'],
  ['/dns/bridge.example/tcp/443/tls/ws', 'websocket'],
  ['/ip4/192.0.2.1/tcp/1/http', 'tunnel'],
  ['/ip4/192.0.2.1/udp/1/quic-v1', 'quic'],
  ['/ip4/192.0.2.1/udp/1/quic-v1/webtransport', 'webtransport'],
  ['/ip4/192.0.2.1/udp/1/webrtc-direct', 'webrtc'],
  ['/ip4/192.0.2.1/tcp/1/ws/p2p/12D3KooWQF6Q3i1QkziJQ9mkNNcyFD8GPQz6R6oEvT75wgsVXm4v/p2p-circuit', 'circuit'],
  ['/memory/1', 'other'],
])('%s is reached by %s', (address, kind) => {
  expect(transportOf(multiaddr(address))).toBe(kind)
})
