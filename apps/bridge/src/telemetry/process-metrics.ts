/**
 * The numbers of the process itself: one registry for all that runs in it, because its watchers are never taken off again.
 */
import { collectDefaultMetrics, Registry } from 'prom-client'

/** CPU, memory, open files, collections. How late timers are is sampled ten times a second: more would keep an idle machine awake. */
export function collectProcessMetrics(): Registry {
  const register = new Registry()
  collectDefaultMetrics({ register, eventLoopMonitoringPrecision: 100 })
  return register
}
