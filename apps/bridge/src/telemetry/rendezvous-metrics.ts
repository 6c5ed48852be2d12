/**
 * What the rendezvous server has done, as metrics with the names and results that operators of libp2p rendezvous points already draw.
 * Not here: the counting (packages/protocols/src/rendezvous).
 */
import type { RendezvousServer } from '@footbridge/protocols/rendezvous/rendezvous-server'
import type { MetricFamily } from './metrics.ts'
import { one } from './relay-metrics.ts'

export function rendezvousMetrics(server: Pick<RendezvousServer, 'totals' | 'size'>): MetricFamily[] {
  return [
    {
      name: 'rendezvous_discover_total',
      type: 'counter',
      help: 'Discoveries, by what became of them',
      labels: ['result'],
      *read() {
        const { served, notServed } = server.totals()
        yield { value: served, labels: { result: 'served' } }
        yield { value: notServed, labels: { result: 'not_served' } }
      },
    },
    {
      name: 'rendezvous_registrations_total',
      type: 'counter',
      help: 'Registrations that were made, refused, taken back or forgotten',
      labels: ['result'],
      *read() {
        const { registered, rejected, unregistered, expired } = server.totals()
        for (const [result, value] of Object.entries({ registered, rejected, unregistered, expired })) yield { value, labels: { result } }
      },
    },
    one('footbridge_rendezvous_registrations', 'gauge', 'Registrations that there are now', () => server.size()),
  ]
}
