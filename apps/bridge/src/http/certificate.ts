/**
 * The certificate and key of HTTPS, read again when their files change, so that a renewal needs no restart. Files are looked at by time, because renewals
 * replace links and whole folders, which watchers lose. A pair that does not fit together, as halfway through a renewal, is left for the next look.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import { CERTIFICATE_CHECK_MS } from '../limits.ts'

export interface CertificatePair {
  readonly cert: string
  readonly key: string
}

export interface CertificateOptions {
  readonly certFile: string
  readonly keyFile: string
  readonly onError: (error: unknown) => void
  readonly checkMs?: number
}

/** @throws Node's error when a file cannot be read or the two do not belong together. */
export async function readCertificate({ certFile, keyFile }: Pick<CertificateOptions, 'certFile' | 'keyFile'>): Promise<CertificatePair> {
  const [cert, key] = await Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')])
  // Not createSecureContext alone: it takes an empty key, which is what a file that is just being written has.
  if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)))
    throw new Error('the certificate and the key do not belong together')
  createSecureContext({ cert, key })
  return { cert, key }
}

/** Tells of each pair that differs from the one before. @returns ends it. */
export function watchCertificate(
  first: CertificatePair,
  options: CertificateOptions,
  onRenewed: (pair: CertificatePair) => void,
): () => void {
  const { onError, checkMs = CERTIFICATE_CHECK_MS } = options
  let current = first
  let looking = false
  const look = async (): Promise<void> => {
    if (looking) return
    looking = true
    try {
      const found = await readCertificate(options)
      if (found.cert === current.cert && found.key === current.key) return
      current = found
      onRenewed(found)
    } catch (error) {
      onError(error)
    } finally {
      looking = false
    }
  }
  const timer = setInterval(() => void look(), checkMs).unref()
  return () => {
    clearInterval(timer)
  }
}
