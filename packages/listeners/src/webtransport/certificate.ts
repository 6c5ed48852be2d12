/**
 * A self-signed certificate of the kind that a browser takes by its hash alone (`serverCertificateHashes`): X.509 v3, ECDSA P-256, valid at most 14 days.
 * The same secret and validity give the same bytes: the key is derived and the signature is RFC 6979's, so a restart keeps the hash that people hold.
 * Not here: which certificate is used when (certificate-calendar.ts).
 */
import { createHash, createPrivateKey, hkdfSync, X509Certificate } from 'node:crypto'
import { p256 } from '@noble/curves/nist.js'
import { ECParameters, ecdsaWithSHA256, id_ecPublicKey, id_secp256r1 } from '@peculiar/asn1-ecc'
import { AsnConvert, OctetString } from '@peculiar/asn1-schema'
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  Certificate as CertificateSyntax,
  Extension,
  Extensions,
  GeneralName,
  id_ce_subjectAltName,
  Name,
  RelativeDistinguishedName,
  SubjectAlternativeName,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
} from '@peculiar/asn1-x509'

export interface Certificate {
  readonly certificatePem: string
  /** PKCS#8. */
  readonly privateKeyPem: string
  /** Multihash of the SHA-256 of the certificate's DER: what /certhash/ and the noise extension carry. */
  readonly hash: Uint8Array
  /** Milliseconds since the epoch. */
  readonly notBefore: number
  readonly notAfter: number
}

export interface CertificateOptions {
  /** At least 32 bytes that only this server knows. */
  readonly secret: Uint8Array
  /** Whole seconds, in milliseconds since the epoch: X.509 knows no finer time. */
  readonly notBefore: number
  readonly notAfter: number
}

/** RFC 9180-style label: another use of the same secret gets another key. */
const KEY_LABEL = 'footbridge webtransport certificate 1'
/** FIPS 186-5 A.2.1 wants 64 bits more than the order has, so that the rest of the division is fair. */
const KEY_SEED_BYTES = 48
/** RFC 5280 allows 20; with the top bit cleared it is a positive number. */
const SERIAL_BYTES = 16
const COMMON_NAME = '2.5.4.3'
/** Multihash prefix of a SHA-256 digest: code 0x12, 32 bytes. */
const SHA2_256 = [0x12, 0x20]

export function createCertificate({ secret, notBefore, notAfter }: CertificateOptions): Certificate {
  const info = Buffer.from(`${KEY_LABEL} ${notBefore} ${notAfter}`)
  const derived = new Uint8Array(hkdfSync('sha256', secret, new Uint8Array(0), info, KEY_SEED_BYTES + SERIAL_BYTES))
  const privateKey = p256.utils.randomSecretKey(derived.subarray(0, KEY_SEED_BYTES))
  const publicKey = p256.getPublicKey(privateKey, false)
  const serialNumber = derived.slice(KEY_SEED_BYTES)
  serialNumber[0] = ((serialNumber[0] ?? 0) & 0x7f) | 0x40

  const name = new Name([
    new RelativeDistinguishedName([
      new AttributeTypeAndValue({ type: COMMON_NAME, value: new AttributeValue({ utf8String: 'libp2p WebTransport' }) }),
    ]),
  ])
  // Nobody looks at names when a hash decides, but OpenSSL and some browsers want one to be there.
  const alternativeName = new SubjectAlternativeName([new GeneralName({ dNSName: 'localhost' })])
  const tbsCertificate = new TBSCertificate({
    version: Version.v3,
    serialNumber: bytes(serialNumber),
    signature: ecdsaWithSHA256,
    issuer: name,
    subject: name,
    validity: new Validity({ notBefore: new Date(notBefore), notAfter: new Date(notAfter) }),
    subjectPublicKeyInfo: new SubjectPublicKeyInfo({
      algorithm: new AlgorithmIdentifier({
        algorithm: id_ecPublicKey,
        parameters: AsnConvert.serialize(new ECParameters({ namedCurve: id_secp256r1 })),
      }),
      subjectPublicKey: bytes(publicKey),
    }),
    extensions: new Extensions([
      new Extension({ extnID: id_ce_subjectAltName, extnValue: new OctetString(AsnConvert.serialize(alternativeName)) }),
    ]),
  })
  const signature = p256.sign(new Uint8Array(AsnConvert.serialize(tbsCertificate)), privateKey, { format: 'der' })
  const der = AsnConvert.serialize(
    new CertificateSyntax({ tbsCertificate, signatureAlgorithm: ecdsaWithSHA256, signatureValue: bytes(signature) }),
  )

  return {
    certificatePem: new X509Certificate(Buffer.from(der)).toString(),
    privateKeyPem: toPkcs8(privateKey, publicKey),
    hash: Uint8Array.from([...SHA2_256, ...createHash('sha256').update(Buffer.from(der)).digest()]),
    notBefore,
    notAfter,
  }
}

function toPkcs8(privateKey: Uint8Array, publicKey: Uint8Array): string {
  const base64url = (part: Uint8Array): string => Buffer.from(part).toString('base64url')
  const key = createPrivateKey({
    format: 'jwk',
    key: {
      kty: 'EC',
      crv: 'P-256',
      d: base64url(privateKey),
      x: base64url(publicKey.subarray(1, 33)),
      y: base64url(publicKey.subarray(33)),
    },
  })
  return key.export({ type: 'pkcs8', format: 'pem' }).toString()
}

/** The ASN.1 classes want ArrayBuffers of exactly the right size. */
function bytes(view: Uint8Array): ArrayBuffer {
  return Uint8Array.from(view).buffer
}
