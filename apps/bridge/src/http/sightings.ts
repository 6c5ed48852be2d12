/**
 * How a request looks when it has come through whatever stands in front: for `footbridge doctor`, which asks for a sighting over the control socket, sends one
 * request through the public address with the id in a header, and fetches what arrived. Nobody else learns anything: an id that was not opened is not seen.
 */
import type { IncomingMessage } from 'node:http'
import { Hono } from 'hono'
import { MAX_SIGHTINGS } from '../limits.ts'
import type { ClientAddress } from './client-address.ts'

export const SIGHTING_HEADER = 'x-footbridge-sighting'

export interface Sighting {
  /** Who was at the other end of the socket: the proxy, where there is one. */
  readonly socketAddress: string
  /** What the bridge makes of it all. */
  readonly client: { readonly ip: string; readonly origin: string }
  /** Headers as they arrived. */
  readonly forwardedFor: string | undefined
  readonly forwardedProto: string | undefined
  readonly forwarded: string | undefined
  readonly host: string | undefined
}

export interface Sightings {
  /** @returns an id to put into SIGHTING_HEADER. */
  open(): string
  /** Once: what was seen under this id. */
  take(id: string): Sighting | undefined
  /** Answers nothing: to be mounted before what is looked at. */
  readonly routes: Hono
}

export interface SightingsDependencies {
  readonly randomBytes: (length: number) => Uint8Array
  readonly addressOf: (request: IncomingMessage) => ClientAddress
}

export function createSightings({ randomBytes, addressOf }: SightingsDependencies): Sightings {
  const seen = new Map<string, Sighting | undefined>()
  return {
    open() {
      const id = Buffer.from(randomBytes(16)).toString('hex')
      seen.set(id, undefined)
      const [oldest] = seen.keys()
      if (seen.size > MAX_SIGHTINGS && oldest !== undefined) seen.delete(oldest)
      return id
    },
    take(id) {
      const sighting = seen.get(id)
      seen.delete(id)
      return sighting
    },
    routes: new Hono().use('*', async (context, next) => {
      const id = context.req.header(SIGHTING_HEADER)
      if (id !== undefined && seen.has(id)) {
        const { incoming } = context.env as { incoming: IncomingMessage }
        seen.set(id, describe(incoming, addressOf(incoming)))
      }
      await next()
    }),
  }
}

function describe({ socket, headers }: IncomingMessage, { ip, origin }: ClientAddress): Sighting {
  const text = (header: string | string[] | undefined): string | undefined => (Array.isArray(header) ? header.join(', ') : header)
  return {
    socketAddress: (socket.remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/, ''),
    client: { ip, origin },
    forwardedFor: text(headers['x-forwarded-for']),
    forwardedProto: text(headers['x-forwarded-proto']),
    forwarded: headers.forwarded,
    host: headers.host,
  }
}
