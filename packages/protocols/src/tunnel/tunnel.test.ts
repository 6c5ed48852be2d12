/** The client's side of the tunnel against a bridge that is a few functions: what it does when answers stay away. With clocks that tests turn. */
import { createBytePipe, type BytePipe } from '@footbridge/shared/tunnel/byte-pipe'
import { FootbridgeError } from '@footbridge/shared/errors'
import { encodeTunnelFrames, type TunnelFrame } from '@footbridge/shared/wire/tunnel-frame'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createDownlink, type Downlink } from './downlink.ts'
import { tunnelUrl } from './tunnel-address.ts'
import { openTunnel, type TunnelRequests } from './tunnel-requests.ts'
import { createUplink, type Uplink } from './uplink.ts'

const BRIDGE = '/p2p/12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5'
const PATH = '/http/http-path/api%2Fv1%2Ftunnels'

describe('the address of a tunnel', () => {
  test.each([
    [`/dns/bridge.example/tcp/443/tls${PATH}${BRIDGE}`, 'https://bridge.example:443/api/v1/tunnels'],
    [`/ip4/192.0.2.1/tcp/8080${PATH}`, 'http://192.0.2.1:8080/api/v1/tunnels'],
    [`/ip6/2001:db8::1/tcp/8080${PATH}`, 'http://[2001:db8::1]:8080/api/v1/tunnels'],
  ])('%s is %s', (address, url) => {
    expect(tunnelUrl(multiaddr(address))).toBe(url)
  })

  test.each([
    ['/dns/bridge.example/tcp/443/tls/ws', 'a WebSocket'],
    [`/dns/bridge.example/tcp/443/tls${PATH}${BRIDGE}/p2p-circuit`, 'a circuit through it'],
    ['/dns/bridge.example/tcp/443/tls/http', 'a site'],
    [`/ip4/192.0.2.1/udp/443${PATH}`, 'not TCP'],
  ])('%s is none: %s', (address) => {
    expect(tunnelUrl(multiaddr(address))).toBeUndefined()
  })
})

const flow: TunnelFrame = { type: 'flow', received: 0, limit: 1_000_000 }
const never = <Value>(signal: AbortSignal): Promise<Value> =>
  new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
const after = <Value>(ms: number, value: Value): Promise<Value> => new Promise((resolve) => setTimeout(() => resolve(value), ms))
const lost = (): Promise<never> => Promise.reject(new FootbridgeError('unreachable', 'no answer'))

describe('a tunnel', () => {
  let stop: AbortController
  let failure: Error | undefined
  beforeEach(() => {
    vi.useFakeTimers()
    stop = new AbortController()
    failure = undefined
  })
  afterEach(() => {
    stop.abort()
    vi.useRealTimers()
  })

  interface Running {
    readonly pipe: BytePipe
    readonly uplink: Uplink
    readonly downlink: Downlink
    readonly ups: Uint8Array[]
    readonly polls: number[]
    readonly streams: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>[]
  }

  /** @param how what becomes of each request; by default, all goes well and the bridge says nothing. */
  function run(how: Partial<Pick<TunnelRequests, 'up' | 'down' | 'poll'>> = {}): Running {
    const ups: Uint8Array[] = []
    const polls: number[] = []
    const streams: Running['streams'] = []
    const requests: TunnelRequests = {
      limit: 1_000_000,
      pollMs: 10_000,
      heartbeatMs: 3_000,
      openMs: 50,
      up: how.up ?? (async (): Promise<TunnelFrame[]> => [flow]),
      poll: how.poll ?? ((_body, signal) => never(signal)),
      down:
        how.down ??
        (async (_flow, signal) =>
          new ReadableStream({
            start(controller) {
              streams.push(controller)
              signal.addEventListener('abort', () => controller.error(signal.reason), { once: true })
            },
          })),
    }
    const watched: TunnelRequests = {
      ...requests,
      up(body, signal) {
        ups.push(body)
        return requests.up(body, signal)
      },
      poll(body, signal) {
        polls.push(Date.now())
        return requests.poll(body, signal)
      },
    }
    const pipe = createBytePipe({ onBytes() {}, onDrain() {}, onEnd() {}, onWork: () => uplink.work() })
    const parts = {
      pipe,
      requests: watched,
      apply: (frames: readonly TunnelFrame[]) => {
        for (const frame of frames) pipe.apply(frame)
      },
      onFailure: (error: Error) => {
        failure ??= error
        stop.abort()
      },
      signal: stop.signal,
      now: Date.now,
      random: () => 0.5,
    }
    const uplink = createUplink(parts)
    const downlink = createDownlink({ ...parts, onHeard: () => uplink.heard() })
    pipe.apply(flow)
    return { pipe, uplink, downlink, ups, polls, streams }
  }
  const heartbeat = encodeTunnelFrames([flow])

  test('T8: a first byte of the stream decides for streaming', async () => {
    const { downlink, streams } = run()
    await vi.advanceTimersByTimeAsync(10)
    expect(downlink.mode).toBe('probing')
    streams[0]?.enqueue(heartbeat)
    await vi.advanceTimersByTimeAsync(10)
    expect(downlink.mode).toBe('streamed')
  })

  test('T8: a poll that is answered while the stream stays silent decides for polling, and ends the stream', async () => {
    let isAborted = false
    const { downlink, polls } = run({
      down: async (_flow, signal) => {
        signal.addEventListener('abort', () => (isAborted = true))
        return new ReadableStream()
      },
      poll: (_body, signal) => Promise.race([after(400, [flow]), never<TunnelFrame[]>(signal)]),
    })
    await vi.advanceTimersByTimeAsync(1_000)
    expect(downlink.mode).toBe('probing')
    await vi.advanceTimersByTimeAsync(500)
    expect([downlink.mode, isAborted]).toEqual(['polled', true])
    const count = polls.length
    await vi.advanceTimersByTimeAsync(5_000)
    expect(polls.length).toBeGreaterThan(count)
  })

  test('T8: a stream that falls silent is put to the proof again, and believed when it goes on', async () => {
    const { downlink, streams } = run({ poll: () => after(900, [flow]) })
    streams[0]?.enqueue(heartbeat)
    await vi.advanceTimersByTimeAsync(7_000)
    expect(downlink.mode).toBe('streamed')
    await vi.advanceTimersByTimeAsync(1_500)
    expect([downlink.mode, streams.length]).toEqual(['probing', 2])
    streams[1]?.enqueue(heartbeat)
    await vi.advanceTimersByTimeAsync(3_000)
    expect(downlink.mode).toBe('probing')
    streams[1]?.enqueue(heartbeat)
    await vi.advanceTimersByTimeAsync(10)
    expect(downlink.mode).toBe('streamed')
  })

  test('T8: a proxy that lets the first bytes of each stream through and holds the rest is polled after one silence', async () => {
    let downs = 0
    let polls = 0
    const { downlink } = run({
      down: async (_flow, signal) => {
        downs++
        return new ReadableStream({
          start(controller) {
            controller.enqueue(heartbeat)
            signal.addEventListener('abort', () => controller.error(signal.reason), { once: true })
          },
        })
      },
      poll: () => {
        polls++
        return after(900, [flow])
      },
    })
    await vi.advanceTimersByTimeAsync(8_000)
    expect([downlink.mode, downs]).toEqual(['streamed', 1])
    await vi.advanceTimersByTimeAsync(1_000)
    expect([downlink.mode, downs]).toEqual(['probing', 2])
    const before = polls
    await vi.advanceTimersByTimeAsync(6_000)
    expect([downlink.mode, downs]).toEqual(['polled', 2])
    // Nobody waited for the decision.
    expect(polls - before).toBeGreaterThanOrEqual(4)
  })

  test('T9: heartbeats are answered, but not each', async () => {
    const { streams, ups } = run()
    for (let second = 0; second < 30; second += 3) {
      streams[0]?.enqueue(heartbeat)
      await vi.advanceTimersByTimeAsync(3_000)
    }
    expect(ups.length).toBeGreaterThanOrEqual(3)
    expect(ups.length).toBeLessThanOrEqual(6)
  })

  test('T10: requests that fail are tried again ever more slowly, for twenty seconds', async () => {
    const { pipe, ups } = run({ up: lost })
    pipe.write(new Uint8Array(10))
    await vi.advanceTimersByTimeAsync(19_000)
    expect(failure).toBeUndefined()
    expect(ups.length).toBeGreaterThan(8)
    expect(ups.length).toBeLessThan(20)
    await vi.advanceTimersByTimeAsync(4_000)
    expect(failure).toMatchObject({ code: 'unreachable' })
  })

  test('T10: nothing that comes down for twenty seconds is the end, too', async () => {
    run({ down: lost, poll: lost })
    await vi.advanceTimersByTimeAsync(19_000)
    expect(failure).toBeUndefined()
    await vi.advanceTimersByTimeAsync(4_000)
    expect(failure).toMatchObject({ code: 'unreachable' })
  })

  test('a session that has ended is not asked again', async () => {
    const { pipe, ups } = run({ up: () => Promise.reject(new FootbridgeError('unauthorized', 'log in again')) })
    pipe.write(new Uint8Array(10))
    await vi.advanceTimersByTimeAsync(10)
    expect(failure).toMatchObject({ code: 'unauthorized' })
    expect(ups).toHaveLength(1)
  })

  test('T4: two requests are on their way at most, and what is written meanwhile goes together', async () => {
    const { pipe, ups } = run({ up: (_body, signal) => never(signal) })
    for (let write = 0; write < 5; write++) {
      pipe.write(new Uint8Array(10))
      await vi.advanceTimersByTimeAsync(1)
    }
    expect(ups).toHaveLength(2)
  })
})

describe('a request of the tunnel', () => {
  const parts = (fetch: typeof globalThis.fetch) => ({ baseUrl: 'https://bridge.test/t', fetch, accessToken: () => 'jwt' })
  const opened = { id: 'a'.repeat(22), limit: 10, heartbeatMs: 3_000, pollMs: 10_000 }
  const { signal } = new AbortController()

  test('T1, T2: shows the access token in its header and nowhere else, and is never cached', async () => {
    const seen: [string, RequestInit | undefined][] = []
    const requests = await openTunnel(
      parts(async (url, init) => {
        seen.push([url as string, init])
        return seen.length === 1 ? Response.json(opened, { status: 201 }) : new Response(encodeTunnelFrames([flow]))
      }),
      signal,
      Date.now,
    )
    await requests.up(encodeTunnelFrames([flow]), signal)
    await requests.down({ type: 'flow', received: 5, limit: 9 }, signal)
    await requests.down({ type: 'flow', received: 5, limit: 9 }, signal)
    for (const [url, init] of seen) {
      expect(url).not.toContain('jwt')
      expect(init).toMatchObject({ headers: { authorization: 'Bearer jwt' }, cache: 'no-store', credentials: 'omit' })
    }
    expect(new Set(seen.map(([url]) => url)).size).toBe(4)
  })

  test('the opening is tried again when it is lost, and not when it is refused', async () => {
    let count = 0
    const flaky: typeof fetch = async () => {
      if (++count < 3) throw new TypeError('network error')
      return Response.json(opened, { status: 201 })
    }
    await openTunnel(parts(flaky), signal, Date.now)
    expect(count).toBe(3)
    const refusing: typeof fetch = async () => {
      count++
      return Response.json({ type: 'about:blank', title: 'log in again', status: 401, code: 'unauthorized' }, { status: 401 })
    }
    await expect(openTunnel(parts(refusing), signal, Date.now)).rejects.toMatchObject({ code: 'unauthorized' })
    expect(count).toBe(4)
  })

  test.each([
    ['a page that a proxy made up', new Response('<!DOCTYPE html><title>Accept the terms</title>'), 'unreachable'],
    ['a proxy’s own 404', new Response('not here', { status: 404 }), 'unreachable'],
    ['the bridge’s 404', Response.json({ type: 'about:blank', title: 'x', status: 404, code: 'not_found' }, { status: 404 }), 'not_found'],
  ])('T11: %s', async (_name, answer, code) => {
    let isFirst = true
    const requests = await openTunnel(
      parts(async () => {
        if (!isFirst) return answer
        isFirst = false
        return Response.json(opened, { status: 201 })
      }),
      signal,
      Date.now,
    )
    await expect(requests.up(encodeTunnelFrames([flow]), signal)).rejects.toMatchObject({ code })
  })
})
