import { expect, test, vi, type Mock } from 'vitest'
import { rememberingInit } from './web-rtc.ts'

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
