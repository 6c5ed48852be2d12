import { TypedEventEmitter, type Libp2pEvents, type Listener } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { expect, test } from 'vitest'
import { ownAddresses } from './own-addresses.ts'

test('what the bridge listens on is confirmed as soon as it does, and nothing after the stop', async () => {
  const events = new TypedEventEmitter<Libp2pEvents>()
  const confirmed: [string, string | undefined][] = []
  const service = ownAddresses()({
    events,
    addressManager: { confirmObservedAddr: (address, options) => void confirmed.push([address.toString(), options?.type]) },
  })
  const listen = (...addresses: readonly string[]): void => {
    const listener = { getAddrs: () => addresses.map((address) => multiaddr(address)) } satisfies Partial<Listener>
    events.safeDispatchEvent('transport:listening', { detail: listener as unknown as Listener })
  }
  await service.start()
  listen('/ip4/127.0.0.1/tcp/8081', '/ip4/11.0.0.10/tcp/8081')
  expect(confirmed).toEqual([
    ['/ip4/127.0.0.1/tcp/8081', 'transport'],
    ['/ip4/11.0.0.10/tcp/8081', 'transport'],
  ])
  await service.stop()
  listen('/ip4/11.0.0.11/tcp/8081')
  expect(confirmed).toHaveLength(2)
})
