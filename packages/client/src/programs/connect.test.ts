/** How a coming in fails, without any bridge; how it succeeds: e2e/programs. */
import { expect, test } from 'vitest'
import { formatBridgeToken } from '@footbridge/shared/bridge-token'
import type { ConnectOptions } from './api.ts'
import { connect } from './connect.ts'
import { memoryStorage, type ProgramStorage } from './storage.ts'

const token = formatBridgeToken(new Uint8Array(32))
const bridge = 'http://bridge.invalid'
const noNetwork = (): Promise<Response> => Promise.reject(new TypeError('no network'))

function watchedStorage(): ProgramStorage & { closed: number } {
  const storage = {
    ...memoryStorage(),
    closed: 0,
    close: async () => {
      storage.closed++
    },
  }
  return storage
}

test.each<[ConnectOptions, string, string]>([
  [{ bridge, token: 'fb1_short' }, 'token_unknown', 'that is no token'],
  [{ token }, 'bad_request', 'no bridge is named, and there is no page that could'],
  [{ bridge: 'bridge.example', token }, 'bad_request', 'that is no origin'],
  [{ bridge: 'ftp://bridge.example', token }, 'bad_request', 'no bridge speaks that'],
  [{ bridge, token, guest: true }, 'bad_request', 'a guest has no token'],
  [{ bridge, token, name: 'x'.repeat(49) }, 'bad_request', 'the name is too long'],
  [{ bridge, token, identity: new Uint8Array(3) }, 'bad_request', 'that is no key'],
  [{ bridge, token, listen: ['/ip4/127.0.0.1/tcp/0'] }, 'bad_request', 'no transport was passed that listens there'],
  [{ bridge, token, listen: ['/p2p-circuit'] }, 'bad_request', 'reservations are the bridge’s affair'],
  [{ bridge, token }, 'unreachable', 'there is no network'],
])('%o is refused with %s: %s', async (options, code) => {
  await expect(connect({ fetch: noNetwork, ...options })).rejects.toMatchObject({ code })
})

test('a coming in that fails or is called off leaves nothing open', async () => {
  const storage = watchedStorage()
  await expect(connect({ bridge, token, storage, fetch: noNetwork })).rejects.toMatchObject({ code: 'unreachable' })
  expect(storage.closed).toBe(1)
  const asked = Promise.withResolvers<void>()
  const caller = new AbortController()
  const silent = (): Promise<Response> => {
    asked.resolve()
    return new Promise(() => undefined)
  }
  const coming = connect({ bridge, token, storage, fetch: silent, signal: caller.signal })
  coming.catch(() => undefined)
  await asked.promise
  caller.abort()
  await expect(coming).rejects.toMatchObject({ code: 'aborted' })
  expect(storage.closed).toBe(2)
  await expect(connect({ bridge, token, storage, fetch: silent, signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'aborted' })
  expect(storage.closed).toBe(3)
})
