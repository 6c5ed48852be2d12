/**
 * Why a rendezvous point did not do what it was asked. Not here: deadlines, broken streams and peers that cannot be reached; those are FootbridgeErrors.
 */
import { STATUS } from './wire.ts'

export type RendezvousErrorCode =
  | 'invalid_namespace'
  | 'invalid_record'
  | 'invalid_ttl'
  /** The cookie is of no use any more: discover without it. */
  | 'invalid_cookie'
  | 'not_authorized'
  | 'internal'
  /** It has no room for more registrations. */
  | 'unavailable'
  /** A status that the specification does not have. */
  | 'other'
  /** The peer does not speak the protocol. */
  | 'unsupported'
  /** The stream was closed or reset without an answer: a point that cannot read the record, or is none. Rust's points do so for every fault. */
  | 'unsupported_or_bad_record'

const CODES: ReadonlyMap<number, RendezvousErrorCode> = new Map([
  [STATUS.invalidNamespace, 'invalid_namespace'],
  [STATUS.invalidRecord, 'invalid_record'],
  [STATUS.invalidTtl, 'invalid_ttl'],
  [STATUS.invalidCookie, 'invalid_cookie'],
  [STATUS.notAuthorized, 'not_authorized'],
  [STATUS.internal, 'internal'],
  [STATUS.unavailable, 'unavailable'],
])

export class RendezvousError extends Error {
  override readonly name = 'RendezvousError'
  readonly code: RendezvousErrorCode
  /** As the point sent it; undefined when there was no answer. */
  readonly status: number | undefined

  constructor(code: RendezvousErrorCode, message: string, options: { status?: number; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.status = options.status
  }
}

/** @param text the point's own words. */
export function errorOfStatus(status: number, text: string | undefined): RendezvousError {
  return new RendezvousError(
    CODES.get(status) ?? 'other',
    `the rendezvous point refused: ${text === undefined || text === '' ? status : text}`,
    {
      status,
    },
  )
}
