/**
 * Which certificate a bridge uses when: one for each period of thirteen days, counted from an offset that the secret gives, so that not all bridges of the
 * world change on the same day. A pure function of secret and time: a restart, or a second process with the same key, comes to the same certificates.
 * Not here: what a certificate is made of (certificate.ts), and changing it under a running server (webtransport-listener.ts).
 */
import { hkdfSync } from 'node:crypto'
import { createCertificate, type Certificate } from './certificate.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** How long one certificate is the current one. */
export const PERIOD_MS = 13 * DAY_MS
/** A certificate is valid this much longer at both ends, for browsers whose clock is wrong. Together 13 days and 2 hours; browsers take at most 14 days. */
export const CLOCK_SKEW_MS = HOUR_MS

export interface Certificates {
  /** Just went; who dials with it is told in the handshake that it was ours. */
  readonly previous: Certificate
  /** The one to serve. */
  readonly current: Certificate
  /** Published already, so that an address works for at least one whole period after it was fetched. */
  readonly next: Certificate
  /** When `next` becomes `current`; milliseconds since the epoch. */
  readonly changesAt: number
}

export interface CertificateCalendar {
  /** @param now milliseconds since the epoch. The same object until the next change. */
  at(now: number): Certificates
}

/** @param secret at least 32 bytes that only this server knows, and the same after a restart. */
export function createCertificateCalendar(secret: Uint8Array): CertificateCalendar {
  const offset = offsetOf(secret)
  let known: Certificates | undefined

  const certificateFrom = (start: number): Certificate =>
    [known?.previous, known?.current, known?.next].find((each) => each?.notBefore === start - CLOCK_SKEW_MS) ??
    createCertificate({ secret, notBefore: start - CLOCK_SKEW_MS, notAfter: start + PERIOD_MS + CLOCK_SKEW_MS })

  return {
    at(now) {
      const start = offset + Math.floor((now - offset) / PERIOD_MS) * PERIOD_MS
      const changesAt = start + PERIOD_MS
      if (known?.changesAt !== changesAt)
        known = {
          previous: certificateFrom(start - PERIOD_MS),
          current: certificateFrom(start),
          next: certificateFrom(start + PERIOD_MS),
          changesAt,
        }
      return known
    },
  }
}

/** Whole seconds, below one period. */
function offsetOf(secret: Uint8Array): number {
  const derived = Buffer.from(hkdfSync('sha256', secret, new Uint8Array(0), Buffer.from('footbridge webtransport offset 1'), 6))
  return (derived.readUIntBE(0, 6) % (PERIOD_MS / 1_000)) * 1_000
}
