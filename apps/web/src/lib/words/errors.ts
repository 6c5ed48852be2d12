/**
 * What a person reads for each error code: what happened, what it means for them, what to do.
 * Not here: the codes (packages/shared/src/errors.ts).
 */
import { isFootbridgeError, type ErrorCode, type ErrorDetails } from '@footbridge/shared/errors'
import { m } from '../paraglide/messages.js'

const SENTENCES: Record<ErrorCode, (details: ErrorDetails) => string> = {
  bad_request: () => m.error_bad_request(),
  too_large: () => m.error_too_large(),
  not_found: () => m.error_not_found(),
  signature_invalid: () => m.error_signature_invalid(),
  clock_skew: ({ serverTime }) =>
    m.error_clock_skew({ time: serverTime === undefined ? m.error_clock_skew_other() : new Date(serverTime).toLocaleString('en-GB') }),
  replayed: () => m.error_replayed(),
  token_unknown: () => m.error_token_unknown(),
  token_expired: () => m.error_token_expired(),
  token_revoked: () => m.error_token_revoked(),
  token_devices_full: () => m.error_token_devices_full(),
  device_unknown: () => m.error_device_unknown(),
  guests_off: () => m.error_guests_off(),
  guests_full: () => m.error_guests_full(),
  unauthorized: () => m.error_unauthorized(),
  rate_limited: ({ retryAfterSeconds }) => m.error_rate_limited({ wait: waitWords(retryAfterSeconds) }),
  bridge_full: () => m.error_bridge_full(),
  unavailable: () => m.error_unavailable(),
  internal: () => m.error_internal(),
  unreachable: () => m.error_unreachable(),
  not_a_bridge: () => m.error_not_a_bridge(),
  aborted: () => m.error_aborted(),
  timeout: () => m.error_timeout(),
  peer_unreachable: () => m.error_peer_unreachable(),
  no_subscribers: () => m.error_no_subscribers(),
  protocol_violation: () => m.error_protocol_violation(),
  block_not_found: () => m.error_block_not_found(),
  block_mismatch: () => m.error_block_mismatch(),
  storage_full: () => m.error_storage_full(),
  passphrase_wrong: () => m.error_passphrase_wrong(),
  other_tab: () => m.error_other_tab(),
  other_device: () => m.error_other_device(),
}

export function sentenceFor(code: ErrorCode, details: ErrorDetails = {}): string {
  return SENTENCES[code](details)
}

/** The sentence for anything that was thrown. What carries no code is a fault of ours and says so. */
export function sentenceForError(error: unknown): string {
  return isFootbridgeError(error) ? sentenceFor(error.code, error.details) : m.error_unexpected()
}

/** True for the codes after which only another bridge token helps. */
export function needsToken(code: ErrorCode | undefined): boolean {
  return code === 'token_expired' || code === 'token_revoked' || code === 'token_unknown' || code === 'device_unknown'
}

function waitWords(seconds: number | undefined): string {
  if (seconds === undefined) return m.wait_moment()
  return seconds < 90 ? m.wait_seconds({ count: Math.ceil(seconds) }) : m.wait_minutes({ count: Math.ceil(seconds / 60) })
}
