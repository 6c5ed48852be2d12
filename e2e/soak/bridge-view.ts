/**
 * What the soak sees of the bridge: figures from inside its process (probe.mjs), its open sockets, and what its control socket tells an operator.
 */
import { readdir, readlink } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startBridge, type Bridge } from '../helpers/start-bridge.ts'

/** Bytes and milliseconds; `cpuMs` since the process began, the event loop's delay since the last look. */
export interface BridgeStats {
  readonly pid: number
  readonly rss: number
  readonly heapUsed: number
  readonly external: number
  readonly arrayBuffers: number
  readonly cpuMs: number
  readonly delayP99Ms: number
  readonly delayMaxMs: number
  readonly handles: Readonly<Record<string, number>>
}

export interface BridgeView {
  readonly bridge: Bridge
  readonly peer: string
  stats(): Promise<BridgeStats>
  /** After a full collection of garbage. */
  settledStats(): Promise<BridgeStats>
  heapSnapshot(file: string): Promise<void>
  /** PeerIDs that hold a reservation. */
  reserved(): Promise<string[]>
  createTokens(count: number): Promise<string[]>
  sockets(): Promise<number>
}

/** A bridge that believes X-Forwarded-For from this machine, so that thousands of peers have addresses of their own. */
export async function startViewedBridge(probeSocket: string): Promise<BridgeView> {
  const probe = fileURLToPath(new URL('probe.mjs', import.meta.url))
  const bridge = await startBridge(['--trusted-proxies', '127.0.0.1', '--log-level', 'warn'], {
    NODE_OPTIONS: `--import=${probe}`,
    SOAK_PROBE: probeSocket,
  })
  const control = join(bridge.dataDir, 'control.sock')
  const ask = async <Answer>(method: string, path: string, body?: object): Promise<Answer> =>
    JSON.parse(await askSocket(control, method, path, body)) as Answer
  const probed = async (path: string): Promise<BridgeStats> => JSON.parse(await askSocket(probeSocket, 'GET', path)) as BridgeStats
  const { peer } = await ask<{ peer: string }>('GET', '/bridge')
  const { pid } = await probed('/stats')
  return {
    bridge,
    peer,
    stats: () => probed('/stats'),
    settledStats: () => probed('/gc'),
    heapSnapshot: async (file) => void (await probed(`/heap?file=${encodeURIComponent(file)}`)),
    reserved: async () => {
      const peers = await ask<{ peer: string; state: string }[]>('GET', '/peers')
      return peers.flatMap(({ peer: id, state }) => (state === 'reachable' ? [id] : []))
    },
    createTokens: async (count) => {
      const tokens: string[] = []
      const unlimited = { expiresAt: null, maxDevices: null, bytesPerDay: null, bytesPerSecond: null }
      for (let index = 0; index < count; index++)
        tokens.push((await ask<{ token: string }>('POST', '/tokens', { label: `soak ${index}`, ...unlimited })).token)
      return tokens
    },
    sockets: () => openSockets(pid),
  }
}

async function openSockets(pid: number): Promise<number> {
  const folder = `/proc/${pid}/fd`
  const targets = await Promise.all((await readdir(folder)).map((name) => readlink(join(folder, name)).catch(() => '')))
  return targets.filter((target) => target.startsWith('socket:')).length
}

function askSocket(socketPath: string, method: string, path: string, body?: object): Promise<string> {
  return new Promise((resolve, reject) => {
    const asking = request({ socketPath, agent: false, method, path, headers: { 'Content-Type': 'application/json' } }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text += chunk))
      response.once('end', () => (response.statusCode === 200 || response.statusCode === 201 ? resolve(text) : reject(new Error(text))))
    })
    asking.setTimeout(120_000, () => asking.destroy(new Error(`${path} was not answered`)))
    asking.once('error', reject)
    asking.end(body === undefined ? undefined : JSON.stringify(body))
  })
}
