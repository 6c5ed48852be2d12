/**
 * The HTTPS tunnel through the proxies that networks really have: streamed where streams pass, polled where they are held back, whole in each, and alive when
 * the proxy was restarted. Rules T of packages/shared/src/tunnel/SPEC.md.
 */
import { randomBytes } from 'node:crypto'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { tunnel } from '@footbridge/protocols/tunnel/tunnel-transport'
import type { SessionAnswer } from '@footbridge/shared/login'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import WebSocket from 'ws'
import { createBench, signLogin, type Bench } from './test-bridge.ts'
import { PROXY_KINDS, startRealProxy } from './test-real-proxies.ts'

const ECHO = '/test/echo/1.0.0'
const BYTES = 600_000
const eventually = <Value>(check: () => Value | Promise<Value>): Promise<Value> => vi.waitFor(check, { timeout: 25_000, interval: 10 })

let bench: Bench
beforeEach(() => {
  bench = createBench()
})
afterEach(() => bench.end())

/** Which of the two ways down are asked at the moment. */
function watch(inner: typeof fetch): { fetch: typeof fetch; open: () => string[] } {
  const open: Record<string, number> = { down: 0, poll: 0 }
  const watched: typeof fetch = async (url, init) => {
    const kind = /\/(down|poll)\b/.exec(url as string)?.[1]
    if (kind === undefined) return inner(url, init)
    open[kind]!++
    let isOver = false
    const over = (): void => {
      if (!isOver) open[kind]!--
      isOver = true
    }
    init?.signal?.addEventListener('abort', over)
    try {
      const response = await inner(url, init)
      if (kind === 'poll' || response.body === null) over()
      else return new Response(response.body.pipeThrough(new TransformStream({ flush: over })), response)
      return response
    } catch (error) {
      over()
      throw error
    }
  }
  return { fetch: watched, open: () => Object.keys(open).filter((kind) => open[kind]! > 0) }
}

describe('the HTTPS tunnel through a real proxy', { timeout: 90_000 }, () => {
  test.each(PROXY_KINDS)('T4 to T11: $name', async (kind) => {
    const bridge = await bench.startBridge()
    const proxy = await startRealProxy(kind, bridge.port)
    bench.cleanups.push(() => proxy.stop())
    const echo = await bench.startBrowser(bridge, 'echo')
    await echo.node.handle(
      ECHO,
      (stream) => {
        stream.addEventListener('message', ({ data }) => {
          if (stream.send(data.subarray().slice())) return
          stream.pause()
          stream.addEventListener('drain', () => stream.resume(), { once: true })
        })
      },
      { runOnLimitedConnection: true },
    )
    await eventually(() => expect(bridge.registry.get(echo.session.peer)?.state).toBe('reachable'))

    const privateKey = await generateKeyPair('Ed25519')
    const response = await proxy.fetch(`${proxy.origin}/api/v1/sessions`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: Buffer.from(JSON.stringify(await signLogin(bridge.peer, privateKey, bridge.token))),
    })
    const session = (await response.json()) as SessionAnswer
    const watched = watch(proxy.fetch)
    const node = await bench.startNode({
      privateKey,
      transports: [tunnel({ accessToken: () => session.accessToken, fetch: watched.fetch }), circuitRelayTransport()],
      connectionMonitor: { enabled: false },
    })
    const link = await node.dial(multiaddr(session.firstHops.find((hop) => hop.includes('/http-path/')) ?? ''))
    await eventually(() => expect(watched.open()).toEqual([kind.streams ? 'down' : 'poll']))

    const circuit = await node.dial(multiaddr(`/p2p/${bridge.peer}/p2p-circuit/p2p/${echo.session.peer}`))
    const stream = await circuit.newStream(ECHO, { runOnLimitedConnection: true })
    const received: Uint8Array[] = []
    stream.addEventListener('message', ({ data }) => received.push(data.subarray().slice()))
    const sent = randomBytes(BYTES)
    const send = async (from: number, to: number): Promise<void> => {
      for (let at = from; at < to; at += 32 * 1024)
        if (!stream.send(sent.subarray(at, Math.min(to, at + 32 * 1024))))
          await new Promise((resolve) => stream.addEventListener('drain', resolve, { once: true }))
    }
    const count = (): number => received.reduce((sum, { length }) => sum + length, 0)
    await send(0, BYTES / 2)
    await eventually(() => expect(count()).toBe(BYTES / 2))
    // In the middle of it the proxy is gone for a moment, with all that it was carrying.
    const rest = send(BYTES / 2, BYTES)
    await proxy.restart()
    await rest
    await eventually(() => expect(count()).toBe(BYTES))
    expect(Buffer.concat(received).equals(sent)).toBe(true)
    expect([link.status, node.getConnections().length]).toEqual(['open', 2])
  })

  test('nginx as it comes lets no WebSocket through, so that the tunnel is what is left', async () => {
    const bridge = await bench.startBridge()
    const proxy = await startRealProxy(PROXY_KINDS[0]!, bridge.port)
    bench.cleanups.push(() => proxy.stop())
    const socket = new WebSocket(`${proxy.origin.replace('http', 'ws')}/ws`)
    const outcome = await new Promise<string>((resolve) => {
      socket.once('open', () => resolve('open'))
      socket.once('error', ({ message }) => resolve(message))
    })
    socket.terminate()
    expect(outcome).toMatch(/Unexpected server response: (?!101)\d+/)
  })
})
