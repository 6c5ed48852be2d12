/**
 * Cookies of a rendezvous point: how far a client has read, kept by the client. The point keeps nothing, so nobody can fill it with them.
 *
 *     8   position, big-endian: the number of the last registration that was returned
 *     22  base64url of the first 16 bytes of HMAC-SHA256(key, "footbridge-rendezvous-cookie-1" ‖ position ‖ namespace in UTF-8)
 *
 * The key is made anew at each start, because positions begin anew then: a cookie of an earlier start, of another point or another namespace is found out.
 * Text after the first eight bytes because Rust's client reads a namespace there and refuses the whole answer when it is not UTF-8 of at most 255 bytes.
 */
import { base64urlEncode, utf8Encode } from '@footbridge/shared/text-codec'
import { concat } from '../uc-wire/fields.ts'

const LABEL = utf8Encode('footbridge-rendezvous-cookie-1')
const POSITION_BYTES = 8
const MAC_BYTES = 16
const COOKIE_BYTES = POSITION_BYTES + Math.ceil((MAC_BYTES * 4) / 3)

export interface Cookies {
  /** @param namespace empty for all of them. */
  make(namespace: string, position: number): Promise<Uint8Array>
  /** The position, or undefined when it is none of this point's for this namespace. Never throws. */
  read(namespace: string, cookie: Uint8Array): Promise<number | undefined>
}

/** @param secret 32 random bytes of this start. */
export function createCookies(secret: Uint8Array): Cookies {
  const key = crypto.subtle.importKey('raw', Uint8Array.from(secret), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
  // Told by whoever uses it first, not by the process.
  key.catch(() => undefined)

  const make = async (namespace: string, position: number): Promise<Uint8Array> => {
    const head = new Uint8Array(POSITION_BYTES)
    new DataView(head.buffer).setBigUint64(0, BigInt(position))
    const signed = Uint8Array.from(concat([LABEL, head, utf8Encode(namespace)]))
    const mac = new Uint8Array(await crypto.subtle.sign('HMAC', await key, signed))
    return concat([head, utf8Encode(base64urlEncode(mac.subarray(0, MAC_BYTES)))])
  }

  return {
    make,
    async read(namespace, cookie) {
      if (cookie.length !== COOKIE_BYTES) return undefined
      const position = new DataView(cookie.buffer, cookie.byteOffset, cookie.byteLength).getBigUint64(0)
      if (position > BigInt(Number.MAX_SAFE_INTEGER)) return undefined
      const own = await make(namespace, Number(position))
      // All of it is looked at, so that the time says nothing of where it differs.
      const difference = own.reduce((sum, byte, index) => sum | (byte ^ (cookie[index] ?? 0)), 0)
      return difference === 0 ? Number(position) : undefined
    },
  }
}
