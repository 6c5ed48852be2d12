/**
 * STUN of a whole bridge: what a login announces answers, at once for whoever has logged in.
 */
import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { parseBinding } from './stun/message.ts'
import { createBench } from './test-bridge.ts'

const bench = createBench()
afterEach(() => bench.end())

/** As a browser asks: twenty bytes, from one socket. @returns the address that each url's server saw. */
async function ask(urls: readonly string[]): Promise<{ local: number; mapped: unknown[] }> {
  const socket = createSocket('udp4')
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  bench.cleanups.push(() => void socket.close())
  const mapped: unknown[] = []
  for (const url of urls) {
    const [, host = '', port = ''] = /^stun:([\d.]+):(\d+)$/.exec(url) ?? []
    const answer = once(socket, 'message')
    socket.send(Buffer.concat([Buffer.from('000100002112a442', 'hex'), randomBytes(12)]), Number(port), host)
    const [datagram] = (await answer) as [Buffer]
    mapped.push(parseBinding(datagram)?.mapped)
  }
  return { local: socket.address().port, mapped }
}

describe('the STUN of a bridge', () => {
  it('is the first ICE server of a login, on two ports that answer a logged-in browser’s first request', async () => {
    const bridge = await bench.startBridge({ iceServers: 'stun:stun.example:3478' })
    const { session } = await bench.startBrowser(bridge, 'Alice')
    const [own, other] = session.iceServers
    expect(own?.urls).toEqual(bridge.stunPorts.map((port) => `stun:127.0.0.1:${port}`))
    expect(other?.urls).toEqual(['stun:stun.example:3478'])
    const { local, mapped } = await ask(own!.urls)
    expect(mapped).toEqual([1, 2].map(() => ({ address: '127.0.0.1', port: local })))
  })

  it('has the numbers of the TCP ports', async () => {
    const probe = createServer().listen(0, '127.0.0.1')
    await once(probe, 'listening')
    const { port } = probe.address() as AddressInfo
    probe.close()
    await once(probe, 'close')
    const bridge = await bench.startBridge({ p2pPort: String(port) })
    expect(bridge.stunPorts).toEqual([expect.any(Number), port])
  })

  it('goes without a port that another program has, and without any when it is switched off', async () => {
    const taken = createSocket('udp4')
    await new Promise<void>((resolve) => taken.bind(0, '127.0.0.1', resolve))
    bench.cleanups.push(() => void taken.close())
    const one = await bench.startBridge({ p2pPort: String(taken.address().port) })
    expect(one.stunPorts).toHaveLength(1)
    const off = await bench.startBridge({ stun: 'off' })
    expect(off.stunPorts).toEqual([])
    const { session } = await bench.startBrowser(off, 'Alice')
    expect(session.iceServers).toEqual([])
  })

  it('comes with credentials for the operator’s TURN server, which end with the session', async () => {
    const bridge = await bench.startBridge({ turnUrls: 'turn:turn.example:3478' }, {}, { FOOTBRIDGE_TURN_SECRET: 'north' })
    const { session } = await bench.startBrowser(bridge, 'Alice')
    const turn = session.iceServers[1]
    expect(turn).toMatchObject({ urls: ['turn:turn.example:3478'] })
    const [end, peer] = turn?.username?.split(':') ?? []
    expect(peer).toBe(session.peer)
    expect(Number(end) - session.expiresAt / 1_000).toBeCloseTo(600, -1)
  })
})
