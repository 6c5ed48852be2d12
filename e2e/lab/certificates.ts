/**
 * The lab's certificates: an authority for the bridge's name, and one of a school's that opens its people's TLS. Made anew for every run, with openssl.
 */
import { execFileSync } from 'node:child_process'
import { createHash, X509Certificate } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export const BRIDGE_AUTHORITY = 'lab bridge authority'
export const SCHOOL_AUTHORITY = 'lab school authority'

export interface Certificates {
  /** Files in PEM. */
  readonly authority: string
  readonly cert: string
  readonly key: string
  /** Key and certificates in one, which squid shows for the bridge's name: signed by the school. */
  readonly school: string
  /** For `--ignore-certificate-errors-spki-list`: Chromium then takes what these keys signed, and nothing else that is wrong. */
  readonly trustedKeys: readonly string[]
}

/** @param folder where they are put. @param name the bridge's. */
export function makeCertificates(folder: string, name: string): Certificates {
  const at = (file: string): string => join(folder, file)
  const openssl = (...args: readonly string[]): void => void execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' })
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const authority = (label: string, common: string): void =>
    openssl('req', '-x509', ...newKey, '-keyout', `${label}.key`, '-out', `${label}.pem`, '-days', '2', '-subj', `/CN=${common}`)
  authority('authority', BRIDGE_AUTHORITY)
  authority('school', SCHOOL_AUTHORITY)
  writeFileSync(at('name.ext'), `subjectAltName=DNS:${name}\n`)
  const sign = (label: string, by: string): void => {
    openssl('req', ...newKey, '-keyout', `${label}.key`, '-out', `${label}.csr`, '-subj', `/CN=${name}`)
    const signing = ['-CA', `${by}.pem`, '-CAkey', `${by}.key`, '-CAcreateserial', '-extfile', 'name.ext', '-days', '2']
    openssl('x509', '-req', '-in', `${label}.csr`, ...signing, '-out', `${label}.pem`)
  }
  sign('bridge', 'authority')
  sign('opened', 'school')
  const concatenate = (to: string, ...files: readonly string[]): void =>
    writeFileSync(at(to), files.map((file) => readFileSync(at(file), 'utf8')).join(''))
  concatenate('bridge-chain.pem', 'bridge.pem', 'authority.pem')
  concatenate('school-opens.pem', 'opened.key', 'opened.pem', 'school.pem')
  return {
    authority: at('authority.pem'),
    cert: at('bridge-chain.pem'),
    key: at('bridge.key'),
    school: at('school-opens.pem'),
    trustedKeys: [at('bridge.pem'), at('opened.pem')].map(keyHash),
  }
}

/** Of a certificate's public key: base64 of SHA-256, as browsers pin it. */
function keyHash(file: string): string {
  const key = new X509Certificate(readFileSync(file)).publicKey.export({ type: 'spki', format: 'der' })
  return createHash('sha256').update(key).digest('base64')
}
