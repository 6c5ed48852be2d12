/**
 * Preloaded into the bridge's process by the soak (`NODE_OPTIONS=--import`): answers on a Unix socket what can only be measured from inside.
 * GET /stats is JSON and begins the event loop's histogram anew; POST /gc collects garbage first; POST /heap?<file> writes a heap snapshot.
 * Does nothing unless SOAK_PROBE names the socket. The bridge itself knows nothing of it.
 */
import { createServer } from 'node:http'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setFlagsFromString, writeHeapSnapshot } from 'node:v8'
import { runInNewContext } from 'node:vm'

const path = process.env.SOAK_PROBE
if (path !== undefined) {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc')
  const delay = monitorEventLoopDelay({ resolution: 10 })
  delay.enable()
  const server = createServer((request, response) => {
    const url = new URL(request.url, 'http://probe')
    if (url.pathname === '/gc') for (let round = 0; round < 3; round++) gc()
    if (url.pathname === '/heap') writeHeapSnapshot(url.searchParams.get('file'))
    const { rss, heapUsed, heapTotal, external, arrayBuffers } = process.memoryUsage()
    const { user, system } = process.cpuUsage()
    const handles = {}
    for (const name of process.getActiveResourcesInfo()) handles[name] = (handles[name] ?? 0) + 1
    const stats = {
      pid: process.pid,
      rss,
      heapUsed,
      heapTotal,
      external,
      arrayBuffers,
      cpuMs: (user + system) / 1e3,
      delayP99Ms: delay.percentile(99) / 1e6,
      handles,
    }
    stats.delayMaxMs = delay.max / 1e6
    delay.reset()
    response.end(JSON.stringify(stats))
  })
  server.listen(path).unref()
  server.on('connection', (socket) => socket.unref())
}
