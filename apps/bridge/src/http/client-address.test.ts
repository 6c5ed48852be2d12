import type { IncomingMessage } from 'node:http'
import { describe, expect, it } from 'vitest'
import { createClientAddress } from './client-address.ts'

const request = (remoteAddress: string, headers: Record<string, string> = {}, encrypted = false): IncomingMessage =>
  ({
    headers: { host: 'bridge.example:8080', ...headers },
    socket: { remoteAddress, remotePort: 4711, localAddress: '127.0.0.1', localPort: 8080, encrypted },
  }) as unknown as IncomingMessage

const addressOf = createClientAddress(['127.0.0.1', '10.0.0.0/8', '2001:db8::/32'])

describe('who is asking', () => {
  it.each<[string, Record<string, string>, string, string]>([
    ['192.0.2.1', {}, '192.0.2.1', 'no proxy: the socket'],
    ['192.0.2.1', { 'x-forwarded-for': '198.51.100.9' }, '192.0.2.1', 'a stranger’s header is not believed'],
    ['127.0.0.1', {}, '127.0.0.1', 'a proxy that says nothing is itself the client'],
    ['127.0.0.1', { 'x-forwarded-for': '198.51.100.9' }, '198.51.100.9', 'one trusted proxy'],
    ['::ffff:127.0.0.1', { 'x-forwarded-for': '198.51.100.9' }, '198.51.100.9', 'a proxy over a dual-stack socket'],
    ['127.0.0.1', { 'x-forwarded-for': '6.6.6.6, 198.51.100.9, 10.1.2.3' }, '198.51.100.9', 'right-most that is not trusted'],
    ['127.0.0.1', { 'x-forwarded-for': '10.9.9.9, 10.1.2.3' }, '10.9.9.9', 'all trusted: the outermost'],
    ['127.0.0.1', { 'x-forwarded-for': '6.6.6.6, unknown, 10.1.2.3' }, '10.1.2.3', 'nothing before what is no address'],
    ['127.0.0.1', { 'x-forwarded-for': '198.51.100.9:1234' }, '198.51.100.9', 'with a port'],
    ['2001:db8::1', { forwarded: 'for="[2001:470::7]:4711";proto=https' }, '2001:470::7', 'RFC 7239, IPv6'],
    ['127.0.0.1', { forwarded: 'for=6.6.6.6, for=198.51.100.9' }, '198.51.100.9', 'RFC 7239, right-most'],
  ])('%s with %o is %s: %s', (socket, headers, ip, _reason) => {
    expect(addressOf(request(socket, headers)).ip).toBe(ip)
  })

  it.each<[string, Record<string, string>, boolean, string, string]>([
    ['192.0.2.1', {}, false, 'http://bridge.example:8080', 'plain'],
    ['192.0.2.1', {}, true, 'https://bridge.example:8080', 'our own TLS'],
    ['192.0.2.1', { host: 'bridge.example:443' }, true, 'https://bridge.example', 'without the usual port'],
    ['192.0.2.1', { 'x-forwarded-proto': 'https' }, false, 'http://bridge.example:8080', 'a stranger’s header is not believed'],
    ['127.0.0.1', { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'fb.example' }, false, 'https://fb.example', 'a proxy with TLS'],
    ['127.0.0.1', { forwarded: 'for=192.0.2.1;proto=https;host=fb.example' }, false, 'https://fb.example', 'RFC 7239'],
    ['192.0.2.1', { host: '[2001:db8::5]:8080' }, false, 'http://[2001:db8::5]:8080', 'IPv6'],
    ['192.0.2.1', { host: 'evil/<script>' }, false, 'http://127.0.0.1:8080', 'what is no host gives way to where the socket arrived'],
  ])('%s with %o over TLS %s reached %s: %s', (socket, headers, encrypted, origin, _reason) => {
    expect(addressOf(request(socket, headers, encrypted)).origin).toBe(origin)
  })
})
