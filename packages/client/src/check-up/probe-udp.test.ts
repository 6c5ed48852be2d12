import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Check, UdpFigures } from './facts.ts'
import { probeTurn, probeUdp } from './probe-udp.ts'
import { behind, type Nat } from './test-nat.ts'

const TWO = [{ urls: ['stun:bridge.example:443', 'stun:bridge.example:8081'] }]
const TURN = [{ urls: ['turn:turn.example:3478'], username: 'alice', credential: 'x' }]

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

async function probe(nat: Nat, iceServers: { urls: string[] }[] = TWO): Promise<Check<UdpFigures, 'silent'>> {
  const { PeerConnection, open } = behind(nat)
  const patience = new AbortController()
  const found = probeUdp({ PeerConnection, iceServers, steady: () => performance.now(), signal: patience.signal })
  await vi.advanceTimersByTimeAsync(1_000)
  patience.abort()
  const check = await found
  expect(open()).toBe(0)
  return check
}

test.each<readonly [string, Nat, Partial<UdpFigures>]>([
  ['a NAT that keeps one port for a socket', (socket) => socket + 10, { nat: 'endpoint_independent', answered: 2 }],
  ['a NAT with a port for each server', (socket, url) => socket + (url.endsWith(':443') ? 10 : 500), { nat: 'symmetric', answered: 2 }],
  [
    'a firewall that lets one server through',
    (socket, url) => (url.endsWith(':443') ? socket : undefined),
    { nat: 'unknown', answered: 1 },
  ],
])('%s is seen', async (_network, nat, figures) => {
  const found = await probe(nat)
  expect(found).toMatchObject({ state: 'works', figures: { asked: 2, isInside: false, ipv6: false, ...figures } })
})

test('silence is broken, no STUN is not offered, one server tells no kind', async () => {
  expect(await probe(() => undefined)).toMatchObject({ state: 'broken', reason: 'silent' })
  expect(await probe((socket) => socket, [])).toEqual({ state: 'not_offered' })
  const one = await probe((socket) => socket, [{ urls: ['stun:bridge.example:443'] }])
  expect(one).toMatchObject({ state: 'works', figures: { nat: 'unknown', asked: 1, answered: 1 } })
})

test('a browser that is done early and names no mapped address tells nothing, which is not silence', async () => {
  const { PeerConnection } = behind(() => undefined)
  class Done extends PeerConnection {
    override async setLocalDescription(): Promise<void> {
      Object.assign(this, { iceGatheringState: 'complete' })
      this.dispatchEvent(new Event('icegatheringstatechange'))
    }
  }
  const parts = { PeerConnection: Done, iceServers: TWO, steady: () => performance.now(), signal: new AbortController().signal }
  expect(await probeUdp(parts)).toEqual({ state: 'unknown', because: 'untold' })
})

test('TURN works when it gives an address, and is silent when it does not', async () => {
  const parts = { steady: () => performance.now(), signal: new AbortController().signal }
  expect(await probeTurn({ ...parts, PeerConnection: behind(() => 1).PeerConnection, iceServers: TWO })).toEqual({ state: 'not_offered' })
  expect(await probeTurn({ ...parts, PeerConnection: behind(() => 1).PeerConnection, iceServers: TURN })).toMatchObject({ state: 'works' })
  const late = { ...parts, signal: AbortSignal.abort() }
  const silent = await probeTurn({ ...late, PeerConnection: behind(() => undefined).PeerConnection, iceServers: TURN })
  expect(silent).toMatchObject({ state: 'broken', reason: 'silent' })
})
