/**
 * The certificate: the files of --tls-cert and --tls-key, and what is served under the public address, which may be a proxy's.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { connect } from 'node:tls'
import { error, ok, reasonOf, warning, type Finding } from './finding.ts'

const DAY_MS = 86_400_000
const SOON_DAYS = 14
const TIMEOUT_MS = 6_000

export interface CertificateQuestion {
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined
  readonly publicUrl: string | undefined
  /** Where the running bridge serves HTTPS itself; undefined when none runs. */
  readonly localPort: number | undefined
  readonly localHost: string
  readonly now: number
}

export async function checkCertificate({ tls, publicUrl, localPort, localHost, now }: CertificateQuestion): Promise<Finding[]> {
  const name = publicUrl === undefined ? undefined : new URL(publicUrl).hostname.replaceAll(/^\[|\]$/g, '')
  const findings: Finding[] = []
  if (tls !== undefined) findings.push(...(await checkFiles(tls, name, now)))
  if (tls !== undefined && localPort !== undefined) findings.push(await checkInUse(tls.certFile, localHost, localPort))
  if (publicUrl?.startsWith('https:') === true) findings.push(await checkServed(publicUrl, now))
  return findings
}

async function checkFiles(
  { certFile, keyFile }: { certFile: string; keyFile: string },
  name: string | undefined,
  now: number,
): Promise<Finding[]> {
  const check = { area: 'certificate', id: 'certificate-files', what: 'files' } as const
  let certificate: X509Certificate
  try {
    const [cert, key] = await Promise.all([readFile(certFile), readFile(keyFile)])
    certificate = new X509Certificate(cert)
    if (!certificate.checkPrivateKey(createPrivateKey(key)))
      return [error(check, `${keyFile} is not the key of ${certFile}`, 'give the key that belongs to the certificate with --tls-key')]
    const count = cert.toString().split('-----BEGIN CERTIFICATE-----').length - 1
    if (count === 1 && certificate.issuer !== certificate.subject)
      return [
        warning(
          check,
          `${certFile} has the certificate without its chain`,
          'give the full chain (fullchain.pem): some browsers refuse without',
        ),
        ...judgeDates(check, certificate, name, now),
      ]
  } catch (failure) {
    return [error(check, `${certFile} or ${keyFile} cannot be used: ${reasonOf(failure)}`, 'give PEM files that this user may read')]
  }
  return judgeDates(check, certificate, name, now)
}

function judgeDates(
  check: { area: 'certificate'; id: string; what: string },
  certificate: X509Certificate,
  name: string | undefined,
  now: number,
): Finding[] {
  const left = Math.floor((certificate.validToDate.getTime() - now) / DAY_MS)
  const until = certificate.validToDate.toISOString().slice(0, 10)
  const fits = name === undefined || (isIP(name) === 0 ? certificate.checkHost(name) : certificate.checkIP(name)) !== undefined
  const advice = 'renew it; a bridge with --tls-cert takes renewed files within a minute, without a restart'
  if (certificate.validFromDate.getTime() > now)
    return [error(check, `not valid before ${certificate.validFromDate.toISOString()}`, 'look at the clock, or wait')]
  if (left < 0) return [error(check, `expired on ${until}`, advice)]
  if (!fits)
    return [
      error(
        check,
        `it is for ${certificate.subjectAltName ?? certificate.subject}, not for ${name}`,
        `get one for ${name}, or correct --public-url`,
      ),
    ]
  if (left < SOON_DAYS) return [warning(check, `expires in ${left} days, on ${until}`, advice)]
  return [ok(check, `valid until ${until}, ${left} days${name === undefined ? '' : `, for ${name}`}`)]
}

/** The bridge looks at its files every minute: what it serves is what they hold, unless that fails. */
async function checkInUse(certFile: string, host: string, port: number): Promise<Finding> {
  const check = { area: 'certificate', id: 'certificate-in-use', what: 'in use' } as const
  try {
    const { served } = await handshake(host, port, undefined)
    const file = new X509Certificate(await readFile(certFile))
    if (served.fingerprint256 === file.fingerprint256) return ok(check, 'the bridge serves what the files hold, and watches them')
    return warning(
      check,
      'the bridge serves another certificate than the files hold',
      'wait a minute after a renewal; then its log says why it does not take them',
    )
  } catch (failure) {
    return error(check, `no TLS on port ${port}: ${reasonOf(failure)}`, 'see the log of the bridge')
  }
}

async function checkServed(publicUrl: string, now: number): Promise<Finding> {
  const check = { area: 'certificate', id: 'certificate-served', what: 'as served' } as const
  const { hostname, port } = new URL(publicUrl)
  const host = hostname.replaceAll(/^\[|\]$/g, '')
  try {
    const { served, problem } = await handshake(host, Number(port || 443), host)
    const [dated = ok(check, '')] = judgeDates(check, served, host, now)
    if (dated.state === 'error' || problem === undefined) return dated
    return error(check, `browsers refuse it: ${problem}`, 'use a certificate of an authority that browsers know, with its full chain')
  } catch (failure) {
    return error(check, `no TLS at ${publicUrl}: ${reasonOf(failure)}`, 'look at the firewall, the proxy, and --public-url')
  }
}

async function handshake(
  host: string,
  port: number,
  servername: string | undefined,
): Promise<{ served: X509Certificate; problem: string | undefined }> {
  const isName = servername !== undefined && isIP(servername) === 0
  const socket = connect({ host, port, rejectUnauthorized: false, ...(isName && { servername }) })
  try {
    await new Promise<void>((resolve, reject) => {
      socket.setTimeout(TIMEOUT_MS, () => reject(new Error('no answer')))
      socket.once('secureConnect', resolve)
      socket.once('error', reject)
    })
    const served = socket.getPeerX509Certificate()
    if (served === undefined) throw new Error('it shows no certificate')
    return {
      served,
      problem: socket.authorized ? undefined : (PROBLEMS[String(socket.authorizationError)] ?? String(socket.authorizationError)),
    }
  } finally {
    socket.destroy()
  }
}

const PROBLEMS: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: 'it is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'its authority is not known',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its chain is not complete, or its authority is not known',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its chain is not complete, or its authority is not known',
  CERT_HAS_EXPIRED: 'it has expired',
}
