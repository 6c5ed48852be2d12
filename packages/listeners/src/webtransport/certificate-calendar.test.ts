/**
 * Certificates and when they change. Rules: SPEC.md.
 */
import { createHash, createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { CLOCK_SKEW_MS, createCertificateCalendar, PERIOD_MS } from './certificate-calendar.ts'

const DAY_MS = 86_400_000
const NOW = Date.UTC(2026, 10, 21)
const secret = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)

describe('certificates', () => {
  it('C1 are self-signed X.509 v3 over P-256, and live at most fourteen days', () => {
    const { current } = createCertificateCalendar(secret(1)).at(NOW)
    const parsed = new X509Certificate(current.certificatePem)
    expect(parsed.verify(parsed.publicKey)).toBe(true)
    expect(parsed.publicKey.asymmetricKeyDetails?.namedCurve).toBe('prime256v1')
    expect(parsed.checkPrivateKey(createPrivateKey(current.privateKeyPem))).toBe(true)
    expect(Date.parse(parsed.validTo) - Date.parse(parsed.validFrom)).toBe(PERIOD_MS + 2 * CLOCK_SKEW_MS)
    expect(PERIOD_MS + 2 * CLOCK_SKEW_MS).toBeLessThanOrEqual(14 * DAY_MS)
  })

  it('C1 are known by the SHA-256 multihash of their DER', () => {
    const { current } = createCertificateCalendar(secret(1)).at(NOW)
    const digest = createHash('sha256').update(new X509Certificate(current.certificatePem).raw).digest()
    expect(Buffer.from(current.hash)).toEqual(Buffer.concat([Buffer.of(0x12, 0x20), digest]))
  })

  it('C2 are the same bytes for the same secret and time, and others for another', () => {
    const [one, again, other] = [secret(1), secret(1), secret(2)].map((each) => createCertificateCalendar(each).at(NOW))
    expect(again).toEqual(one)
    expect(other!.current.privateKeyPem).not.toBe(one!.current.privateKeyPem)
    const keyOf = (pem: string): string => createPublicKey(pem).export({ type: 'spki', format: 'pem' }).toString()
    expect(keyOf(one!.current.certificatePem)).not.toBe(keyOf(one!.next.certificatePem))
  })

  it('C2 stay what they are from version to version: a changed one would cut off everybody with a saved address', () => {
    const { current } = createCertificateCalendar(secret(1)).at(NOW)
    expect(Buffer.from(current.hash).toString('hex')).toBe('12203048c0aa39c8760a935d6a954dd2d4fa3e7c74958a7622527baf616df355780a')
  })

  it('C3 change every thirteen days: the next becomes the current, and the current the previous', () => {
    const calendar = createCertificateCalendar(secret(1))
    const before = calendar.at(NOW)
    expect(calendar.at(before.changesAt - 1)).toBe(before)
    const after = calendar.at(before.changesAt)
    expect(after.changesAt - before.changesAt).toBe(PERIOD_MS)
    expect([after.previous, after.current]).toEqual([before.current, before.next])
    expect(createCertificateCalendar(secret(1)).at(before.changesAt)).toEqual(after)
  })

  it('C3 are valid an hour before and after their time, for clocks that are wrong', () => {
    const { current, next, changesAt } = createCertificateCalendar(secret(1)).at(NOW)
    expect([current.notAfter, next.notBefore]).toEqual([changesAt + CLOCK_SKEW_MS, changesAt - CLOCK_SKEW_MS])
  })

  it('C3 change on different days for different secrets', () => {
    const changes = new Set(Array.from({ length: 20 }, (_, byte) => createCertificateCalendar(secret(byte)).at(NOW).changesAt))
    expect(changes.size).toBe(20)
  })
})
