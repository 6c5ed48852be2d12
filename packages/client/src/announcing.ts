/**
 * Who can find this device: tells the bridge its person's choice, signs the record that the bridge may carry when that is everybody, and shows where it is told.
 * Only this device can sign, and it signs nothing but circuits through the bridge that it is at. The tab that leads does this for all.
 * Not here: the stream's frames (protocols/announce), the choice's keeping (store/self.ts), the discovery topic of rooms (rooms/live.ts, which asks `findable`).
 */
import type { Connection, Ed25519PrivateKey } from '@libp2p/interface'
import { createAnnounceClient, type AnnounceClient } from '@footbridge/protocols/announce/announce-client'
import { signRecords } from '@footbridge/protocols/announce/signed-records'
import { ANNOUNCE_PROTOCOL } from '@footbridge/shared/protocol-ids'
import { multiaddr } from '@multiformats/multiaddr'
import type { Findable } from './api.ts'
import type { Log } from './log.ts'
import type { Writable } from './observable.ts'

const STREAM_TIMEOUT_MS = 15_000
/** A bridge asks when it or its addresses change; one that asks more often than this is not heeded. */
const MAX_RECORDS_PER_MINUTE = 20

export interface AnnouncingParts {
  readonly key: Ed25519PrivateKey
  readonly findable: Writable<Findable>
  /** Of the bridge that this device is logged in at. */
  readonly bridgePeer: () => string | undefined
  readonly log: Log
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

export interface Announcing {
  /** Over this link, in place of the stream that was open. */
  open(link: Connection): Promise<void>
  /** The choice is another. */
  chosen(): void
  /** Nothing is known of where this device is told. Idempotent. */
  close(): void
}

export function createAnnouncing({ key, findable, bridgePeer, log, now }: AnnouncingParts): Announcing {
  let client: AnnounceClient | undefined
  let signedSince = 0
  let signed = 0

  const show = (change: Partial<Findable>): void => findable.set({ ...findable.get(), ...change })

  const maySign = (): boolean => {
    if (now() - signedSince >= 60_000 || now() < signedSince) [signedSince, signed] = [now(), 0]
    return ++signed <= MAX_RECORDS_PER_MINUTE
  }

  const sign = async (to: AnnounceClient, addresses: readonly string[], after: number): Promise<void> => {
    const bridge = bridgePeer()
    if (findable.get().choice !== 'network' || bridge === undefined || !maySign()) return
    const own = addresses.filter((address) => isCircuitThrough(address, bridge)).map((address) => multiaddr(address))
    if (own.length === 0) return
    // By the clock, so that a device whose bridge forgot still counts up; above `after`, so that one whose clock went back does too.
    const records = await signRecords(key, own, BigInt(Math.max(now(), after + 1)))
    if (to === client && findable.get().choice === 'network') await to.record(records)
  }

  const open = async (link: Connection): Promise<void> => {
    client?.close()
    try {
      const stream = await link.newStream(ANNOUNCE_PROTOCOL, { signal: AbortSignal.timeout(STREAM_TIMEOUT_MS) })
      const made = createAnnounceClient(stream, {
        places(places) {
          if (made === client) show({ places, isSupported: true })
        },
        wanted(addresses, after) {
          sign(made, addresses, after).catch(() => undefined)
        },
        refused(reason) {
          if (made === client) log.warn(`The bridge does not tell others where this device is: ${reason}`)
        },
        ended() {
          if (made !== client) return
          client = undefined
          show({ places: [] })
        },
      })
      client = made
      await made.visible(findable.get().choice)
    } catch (error) {
      // A bridge that does not know the protocol lists everybody who is there.
      if (error instanceof Error && error.name === 'UnsupportedProtocolError') show({ places: [], isSupported: false })
    }
  }

  return {
    open,
    chosen() {
      client?.visible(findable.get().choice).catch(() => undefined)
    },
    close() {
      const closing = client
      client = undefined
      closing?.close()
      show({ places: [] })
    },
  }
}

function isCircuitThrough(address: string, bridge: string): boolean {
  try {
    const [relay, circuit] = multiaddr(address).getComponents().slice(-2)
    return relay?.name === 'p2p' && relay.value === bridge && circuit?.name === 'p2p-circuit'
  } catch {
    return false
  }
}
