import { afterEach, beforeEach, expect, test, vi, type Mock } from 'vitest'
import { isReal, rememberingInit } from './web-rtc.ts'

/** As a browser's: its state is a getter of the prototype, and what the other side does comes as events. */
class FakeChannel extends EventTarget {
  state: RTCDataChannelState = 'connecting'
  closes = 0

  get readyState(): RTCDataChannelState {
    return this.state
  }

  close(): void {
    this.closes++
    if (this.state !== 'closed') this.state = 'closing'
  }

  become(state: RTCDataChannelState): void {
    this.state = state
    const event = state === 'closed' ? 'close' : state
    this.dispatchEvent(new Event(event))
  }
}

class FakePeerConnection {
  createDataChannel(): FakeChannel {
    return new FakeChannel()
  }
}

function open(label: string): { channel: RTCDataChannel; fake: FakeChannel; closed: Mock<() => void> } {
  const Remembering = rememberingInit(FakePeerConnection as unknown as typeof RTCPeerConnection)
  const channel = new Remembering().createDataChannel(label)
  const closed = vi.fn<() => void>()
  return { channel, fake: channel as unknown as FakeChannel, closed }
}

test('a dialler that looks late finds an init channel that was opened and closed as if it were open, and then sees it close', async () => {
  const { channel, fake, closed } = open('init')
  fake.become('open')
  fake.become('closing')
  expect(channel.readyState).toBe('open')
  fake.become('closed')
  expect(channel.readyState).toBe('open')
  channel.close()
  channel.addEventListener('close', closed)
  await vi.waitFor(() => expect(closed).toHaveBeenCalledTimes(1))
})

test('an init channel that is not open yet is waited for, and closed once', async () => {
  const { channel, fake, closed } = open('init')
  expect(channel.readyState).toBe('connecting')
  fake.become('open')
  channel.close()
  channel.addEventListener('close', closed)
  expect([channel.readyState, fake.closes]).toEqual(['open', 1])
  fake.become('closed')
  expect(closed).toHaveBeenCalledTimes(1)
})

test('a channel that carries a stream says what it is', () => {
  const { channel, fake } = open('')
  fake.become('closing')
  expect(channel.readyState).toBe('closing')
})

class FakeState extends EventTarget {
  connectionState: RTCPeerConnectionState = 'connecting'

  become(state: RTCPeerConnectionState): void {
    this.connectionState = state
    this.dispatchEvent(new Event('connectionstatechange'))
  }
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

test('what came through a circuit or a socket is real', async () => {
  expect(await isReal({ remoteAddr: '/ip4/192.0.2.1/tcp/1' })).toBe(true)
})

test('a WebRTC connection that is connected, or is within a moment, is real', async () => {
  const peerConnection = new FakeState()
  const late = isReal({ peerConnection })
  peerConnection.become('connected')
  expect([await late, await isReal({ peerConnection })]).toEqual([true, true])
})

test.each(['failed', 'closed'] as const)('a WebRTC connection that %s is not', async (end) => {
  const peerConnection = new FakeState()
  const real = isReal({ peerConnection })
  peerConnection.become(end)
  expect(await real).toBe(false)
})

test('a WebRTC connection whose dialler has left is waited for five seconds and not taken', async () => {
  const real = isReal({ peerConnection: new FakeState() })
  await vi.advanceTimersByTimeAsync(5_000)
  expect(await real).toBe(false)
  expect(vi.getTimerCount()).toBe(0)
})
