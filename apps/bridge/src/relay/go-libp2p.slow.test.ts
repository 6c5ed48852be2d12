/**
 * A go-libp2p host (e2e/interop/go) against a whole bridge: by TCP and by WebSocket it agrees on noise and yamux within the handshake, pings, and streams
 * both ways through a circuit to a js-libp2p peer, with go-libp2p's noise and yamux on the first leg and inside the circuit.
 */
import { execFile, spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Stream } from '@libp2p/interface'
import { afterEach, beforeAll, expect, it } from 'vitest'
import { createBench, type TestBridge } from '../test-bridge.ts'

const BYTES = 20 * 1024 * 1024
const source = join(import.meta.dirname, '../../../../e2e/interop/go')
const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'footbridge-interop')
const program = join(cache, 'go-peer')
const hasGo = spawnSync('go', ['version']).status === 0
if (!hasGo) process.stderr.write('\n*** Go is not installed: nothing is shown about go-libp2p. ***\n\n')

// Go looks itself whether the program is current. The first time it downloads what go-libp2p needs, and says so on its standard error.
beforeAll(() => {
  if (!hasGo) return
  mkdirSync(cache, { recursive: true })
  const build = spawnSync('go', ['build', '-trimpath', '-o', program, '.'], { cwd: source, encoding: 'utf8' })
  expect(build.status, build.stderr).toBe(0)
}, 600_000)

const bench = createBench()
afterEach(() => bench.end())

const ways: readonly [string, (bridge: TestBridge) => string][] = [
  ['tcp', ({ addresses: [address = ''] }) => address],
  ['websocket', ({ port, peer }) => `/ip4/127.0.0.1/tcp/${port}/ws/p2p/${peer}`],
]

it.runIf(hasGo).each(ways)(
  'go-libp2p reaches the bridge by %s, and 20 MB go each way through a circuit',
  async (transport, addressOf) => {
    const bridge = await bench.startBridge()
    const { node } = await bench.startBrowser(bridge, 'alice')
    await node.handle('/interop/echo/1.0.0', (stream) => echo(stream), { runOnLimitedConnection: true })
    const address = addressOf(bridge)
    const args = [address, `${address}/p2p-circuit/p2p/${node.peerId.toString()}`, String(BYTES)]
    const { stdout } = await promisify(execFile)(program, args, { timeout: 60_000 })
    const [connected, echoed] = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(connected).toMatchObject({ event: 'connected', transport, security: '/noise', muxer: '/yamux/1.0.0', early: true })
    expect(echoed).toMatchObject({ event: 'echoed', bytes: BYTES })
  },
  120_000,
)

/** Sends back what arrives; what the remote does not take yet waits in the stream. Stock streams cannot be paused from within resume() (docs/upstream). */
function echo(stream: Stream): void {
  stream.addEventListener('message', ({ data }) => void stream.send(data))
  stream.addEventListener('end', () => void stream.close())
}
