/**
 * Rules: SPEC.md.
 */
import { describe, expect, it } from 'vitest'
import { isLibp2pRequest } from './request-url.ts'

describe('a request', () => {
  it.each([
    ['https://bridge.example:8080/.well-known/libp2p-webtransport?type=noise', true, 'the specification’s own'],
    ['https://bridge.example/.well-known/libp2p-webtransport', false, 'no type'],
    ['https://bridge.example/.well-known/libp2p-webtransport?type=tls', false, 'another type'],
    ['https://bridge.example/.well-known/libp2p-webtransport?type=noise&type=noise', false, 'twice'],
    ['https://bridge.example/.well-known/libp2p-webtransport?type=noise&x=1', false, 'something more'],
    ['https://bridge.example/.well-known/libp2p-webtransport/?type=noise', false, 'another path'],
    ['https://bridge.example/?type=noise', false, 'no path'],
    ['nonsense', false, 'no URL'],
  ])('R1 for %s is %s: %s', (url, expected) => {
    expect(isLibp2pRequest(url)).toBe(expected)
  })
})
