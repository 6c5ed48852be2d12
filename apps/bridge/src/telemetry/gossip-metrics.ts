/**
 * What the bridge passed on of gossip, as metrics. libp2p's own numbers of gossipsub go by topic, of which anybody can make as many as they like.
 * Not here: the counting (gossip/rates.ts).
 */
import type { Gossip } from '../gossip/gossip.ts'
import type { MetricFamily } from './metrics.ts'
import { one } from './relay-metrics.ts'

export function gossipMetrics(gossip: Pick<Gossip, 'total'>): MetricFamily[] {
  return [
    {
      name: 'footbridge_gossip_messages_total',
      type: 'counter',
      help: 'Messages that were handed in, by what became of them',
      labels: ['result'],
      *read() {
        const { messages, dropped } = gossip.total()
        yield { value: messages, labels: { result: 'passed' } }
        yield { value: dropped, labels: { result: 'dropped' } }
      },
    },
    one('footbridge_gossip_bytes_total', 'counter', 'Bytes of the messages that were passed on, once for each', () => gossip.total().bytes),
  ]
}
