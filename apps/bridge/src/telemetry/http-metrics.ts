/**
 * HTTP answers as a metric, by route as it is written in the code. The path that was asked for is a stranger's word and never a label.
 */
import type { MetricFamily } from './metrics.ts'
import { createTally } from './tally.ts'

/** Node takes three dozen methods; whoever sends them all must not use up the labels. */
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'DELETE', 'OPTIONS'])

export function httpTally(): MetricFamily & { answered(route: string, method: string, status: number): void } {
  const tally = createTally({
    name: 'footbridge_http_answers_total',
    help: 'Answers over HTTP, by route, method and status; WebSockets and what a tunnel carries are connections',
    labels: ['route', 'method', 'status'],
  })
  return {
    ...tally,
    answered: (route, method, status) => tally.count(route, METHODS.has(method) ? method : 'other', String(status)),
  }
}
