import type { IncomingMessage } from 'node:http'
import { expect, it } from 'vitest'
import type { MetricsReaders } from '../config/operation.ts'
import { createClientAddress } from './client-address.ts'
import { createMetricsAccess } from './metrics-access.ts'

const LOCAL: MetricsReaders = ['127.0.0.1', '::1']

interface Asked {
  readonly readers?: MetricsReaders
  readonly from: string
  readonly headers?: Record<string, string>
  readonly trusted?: string[]
}

function mayRead({ readers = LOCAL, from, headers = {}, trusted = [] }: Asked): boolean {
  const socket = { remoteAddress: from, remotePort: 4711, localAddress: '127.0.0.1', localPort: 8080 }
  const request = { socket, headers: { host: 'localhost:8080', ...headers } } as unknown as IncomingMessage
  return createMetricsAccess(readers)(request, createClientAddress(trusted)(request))
}

it.each<[Asked, string]>([
  [{ from: '127.0.0.1' }, 'this machine'],
  [{ from: '::1', headers: { host: '[::1]:8080' } }, 'this machine over IPv6'],
  [{ from: '::ffff:127.0.0.1', headers: { host: '127.0.0.1:8080' } }, 'IPv4 in IPv6 is IPv4'],
  [{ from: '198.51.100.7', readers: ['198.51.100.0/24'], headers: { host: 'bridge.example' } }, 'whom the operator names may use any name'],
  [{ from: '203.0.113.9', readers: 'public', headers: { 'x-forwarded-for': 'x' } }, 'public is for everybody'],
  [{ from: '127.0.0.1', trusted: ['127.0.0.1'] }, 'a trusted proxy’s machine may ask for itself'],
  [
    { from: '127.0.0.1', trusted: ['127.0.0.1'], readers: ['198.51.100.7'], headers: { 'x-forwarded-for': '198.51.100.7' } },
    'a trusted proxy says who asks',
  ],
])('answers %j: %s', (asked) => {
  expect(mayRead(asked)).toBe(true)
})

it.each<[Asked, string]>([
  [{ from: '203.0.113.9' }, 'a stranger'],
  [{ from: '127.0.0.1', readers: 'off' }, 'off is for nobody'],
  [{ from: '', readers: LOCAL }, 'a socket that is gone has no address'],
  [{ from: '127.0.0.1', headers: { 'x-forwarded-for': '127.0.0.1' } }, 'forwarded by a proxy that nobody trusts'],
  [{ from: '127.0.0.1', headers: { via: '1.1 proxy' } }, 'forwarded by a proxy that says no more than that'],
  [
    { from: '127.0.0.1', headers: { host: 'bridge.example' } },
    'a proxy that forwards the name alone, or a page that renamed itself to loopback',
  ],
  [{ from: '127.0.0.1', headers: { host: '127.0.0.1.bridge.example' } }, 'a name that only begins like an address'],
  [
    { from: '127.0.0.1', trusted: ['127.0.0.1'], headers: { 'x-forwarded-for': '127.0.0.1, 203.0.113.9' } },
    'a stranger who says he is local',
  ],
  [{ from: '127.0.0.1', trusted: ['127.0.0.1'], headers: { 'x-forwarded-for': 'unknown' } }, 'a trusted proxy that does not know'],
  [{ from: '127.0.0.1', trusted: ['127.0.0.1'], headers: { 'x-real-ip': '203.0.113.9' } }, 'a trusted proxy that says it in another way'],
  [{ from: '198.51.100.7', readers: ['198.51.100.7'], headers: { 'x-forwarded-for': '203.0.113.9' } }, 'a reader’s machine is a proxy'],
])('refuses %j: %s', (asked) => {
  expect(mayRead(asked)).toBe(false)
})
