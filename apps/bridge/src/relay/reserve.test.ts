/** What a RESERVE and a CONNECT are answered where a real network would take much to bring about. */
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { Connection, PeerId } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { expect, it } from 'vitest'
import { createConnect } from './connect.ts'
import { createCounters } from './counters.ts'
import { RELAY_LIMITS } from './limits.ts'
import { createRateBook } from './rate-book.ts'
import { createReservations } from './reservations.ts'
import { createReserve } from './reserve.ts'
import { openPolicy } from './test-policy.ts'
import { connectTo } from './test-relay.ts'
import { STATUS } from './wire.ts'

async function open() {
  const now = (): number => 1_000_000
  const privateKey = await generateKeyPair('Ed25519')
  const counters = createCounters()
  const events = { reserved: () => {}, unreserved: () => {}, held: () => {} }
  const connections: Connection[] = []
  const reservations = createReservations({ max: 10, now, events })
  const shared = {
    limits: RELAY_LIMITS,
    wireLimit: {},
    policy: openPolicy(),
    events,
    reservations,
    rates: createRateBook({ now }),
    counters,
    now,
    connectionTo: (peer: PeerId) => connections.find(({ remotePeer }) => remotePeer.equals(peer)),
    isDraining: () => false,
  }
  const relay = peerIdFromPrivateKey(privateKey)
  const reserve = createReserve({ ...shared, relay, privateKey, relayAddresses: () => [] })
  const connect = createConnect({
    ...shared,
    circuits: {
      open: () => {
        throw new Error('not so far')
      },
    },
  })
  const connectionFrom = async (address: string): Promise<Connection> => {
    const remotePeer = peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
    return { remotePeer, remoteAddr: multiaddr(address), status: 'open' } as unknown as Connection
  }
  return { relay, reserve, connect, counters, connections, connectionFrom, reservations }
}

it('refuses what is asked over a circuit, so that circuits make no chains', async () => {
  const { relay, reserve, connect, connections, connectionFrom, counters } = await open()
  const relayed = await connectionFrom(`/ip4/192.0.2.1/tcp/1/p2p/${relay.toString()}/p2p-circuit`)
  connections.push(relayed)
  expect(await reserve(relayed)).toEqual({ type: 'STATUS', status: STATUS.PERMISSION_DENIED })
  expect(await connect(relayed, connectTo(relay))).toEqual({ status: STATUS.PERMISSION_DENIED })
  expect(counters.read().total).toMatchObject({
    reservationsRefused: { PERMISSION_DENIED: 1 },
    circuitsRefused: { PERMISSION_DENIED: 1 },
  })
})

it('gives no reservation to a peer whose last connection ended while its request was read: nothing would end it', async () => {
  const { reserve, connections, connectionFrom, reservations } = await open()
  const alice = await connectionFrom('/ip4/192.0.2.1/tcp/1')
  expect(await reserve(alice)).toMatchObject({ status: STATUS.RESERVATION_REFUSED })
  expect(reservations.size).toBe(0)
  connections.push(alice)
  expect(await reserve(alice)).toMatchObject({ status: STATUS.OK })
})
