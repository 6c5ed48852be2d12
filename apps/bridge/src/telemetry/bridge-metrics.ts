/**
 * Who is here, as metrics: sessions by state, virtual peers, and which bridge this is.
 */
import type { Session } from '../peers/session.ts'
import type { MetricFamily } from './metrics.ts'
import { byName, one } from './relay-metrics.ts'

export function bridgeMetrics(sessions: () => readonly Session[], version: string): MetricFamily[] {
  return [
    versionMetric(version),
    {
      name: 'footbridge_sessions',
      type: 'gauge',
      help: 'Sessions now, by state: logged in and away, connected, reachable',
      labels: ['state'],
      read() {
        const counts = { admitted: 0, connected: 0, reachable: 0 }
        for (const { state } of sessions()) if (state !== 'ended') counts[state]++
        return byName(counts, (state) => ({ state }))
      },
    },
    one('footbridge_virtual_peers', 'gauge', 'Peers that can be reached through this bridge now', () =>
      sessions().reduce((count, { state }) => count + (state === 'reachable' ? 1 : 0), 0),
    ),
  ]
}

export function versionMetric(version: string): MetricFamily {
  return {
    name: 'footbridge_info',
    type: 'gauge',
    help: 'Always 1; the version is the label',
    labels: ['version'],
    read: () => [{ value: 1, labels: { version } }],
  }
}
