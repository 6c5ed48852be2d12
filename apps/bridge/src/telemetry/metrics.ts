/**
 * What the bridge counts, as Prometheus reads it. A feature keeps its own numbers and knows nothing of this: bridge.ts hands families in, each of which is asked
 * when somebody reads. libp2p's own metrics stand in the same registry.
 *
 * No label holds a peer, an address or a token: what strangers can make up would grow without end, and a metrics page is seen by more people than a log.
 * Not here: who may read (http/metrics-access.ts), and the families (relay-metrics.ts, bridge-metrics.ts, …).
 */
import type { ComponentLogger, Metrics as Libp2pMetrics } from '@libp2p/interface'
import { prometheusMetrics } from '@libp2p/prometheus-metrics'
import { Counter, Gauge, Registry } from 'prom-client'
import { MAX_SERIES_PER_METRIC, METRICS_REUSE_MS } from '../limits.ts'

export interface Sample {
  readonly value: number
  /** One for each label of the family. */
  readonly labels?: Readonly<Record<string, string>>
}

export interface MetricFamily {
  readonly name: string
  /** A counter only goes up while the process lives, and its name ends in `_total`. */
  readonly type: 'counter' | 'gauge'
  readonly help: string
  readonly labels?: readonly string[]
  /** Asked at each reading: must cost little, whoever is here. */
  readonly read: () => Iterable<Sample>
}

export interface Metrics {
  add(families: Iterable<MetricFamily>): void
  /** For libp2p's `metrics`, once. */
  readonly libp2p: (components: { readonly logger: ComponentLogger }) => Libp2pMetrics
  /** The text, in Prometheus' exposition format; one no older than METRICS_REUSE_MS may be given again. */
  read(): Promise<string>
  readonly contentType: string
}

export interface MetricsOptions {
  /** Where the numbers of the process already are; a new one by default. */
  readonly registry?: Registry
  /** Folder whose disk is looked at for free space. */
  readonly dataDir: string
  readonly clock: () => number
}

/** Of libp2p: what goes through every stream of every connection at each reading, which takes a tenth of a second with ten thousand of them. */
const LEFT_OUT: ReadonlySet<string> = new Set([
  'libp2p_protocol_streams_total',
  'libp2p_connection_manager_protocol_streams_per_connection_90th_percentile',
])

export function createMetrics({ registry = new Registry(), dataDir, clock }: MetricsOptions): Metrics {
  let last: { readonly at: number; readonly text: Promise<string> } | undefined

  return {
    contentType: registry.contentType,
    add(families) {
      for (const family of families) register(family, registry)
    },
    libp2p(components) {
      const metrics = prometheusMetrics({ registry, collectDefaultMetrics: false, statfsLocation: dataDir })(components)
      // These would wrap every connection and stream in four functions, and count every message of every circuit by a text made for it. What is relayed is
      // counted by the relay, once for each lease.
      metrics.trackMultiaddrConnection = () => {}
      metrics.trackProtocolStream = () => {}
      registry.removeSingleMetric('libp2p_data_transfer_bytes_total')
      const registerGroup = metrics.registerMetricGroup.bind(metrics) as (name: string, options?: object) => unknown
      metrics.registerMetricGroup = ((name: string, options?: object) =>
        LEFT_OUT.has(name) ? undefined : registerGroup(name, options)) as Libp2pMetrics['registerMetricGroup']
      return metrics
    },
    read() {
      const at = clock()
      // A clock that was set back must not keep an old text for ever.
      if (last !== undefined && Math.abs(at - last.at) < METRICS_REUSE_MS) return last.text
      const text = registry.metrics()
      last = { at, text }
      text.catch(() => (last = undefined))
      return text
    },
  }
}

function register({ name, type, help, labels = [], read }: MetricFamily, registry: Registry): void {
  const options = { name, help, labelNames: [...labels], registers: [registry] }
  const bounded = function* (): Iterable<Sample> {
    let left = MAX_SERIES_PER_METRIC
    for (const sample of read()) {
      if (left-- === 0) return
      yield sample
    }
  }
  void (type === 'counter'
    ? new Counter({
        ...options,
        collect() {
          this.reset()
          for (const { labels: given, value } of bounded()) this.inc({ ...given }, value)
        },
      })
    : new Gauge({
        ...options,
        collect() {
          this.reset()
          for (const { labels: given, value } of bounded()) this.set({ ...given }, value)
        },
      }))
}
