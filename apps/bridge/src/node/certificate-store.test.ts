import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { webRTCDirect } from '@libp2p/webrtc'
import { createLibp2p } from 'libp2p'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { CERTIFICATE_LIFE_MS, createCertificateStore, keepingCertificate } from './certificate-store.ts'

vi.setConfig({ testTimeout: 60_000 })

let dataDir: string
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'footbridge-certificate-'))
})
afterEach(() => rm(dataDir, { recursive: true }))

/** Of the address at which a node with this folder listens, started and stopped. */
async function hashOf(): Promise<string | undefined> {
  const node = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/udp/0/webrtc-direct'] },
    transports: [keepingCertificate(webRTCDirect({ certificateLifespan: CERTIFICATE_LIFE_MS }), createCertificateStore(dataDir))],
  })
  try {
    return node
      .getMultiaddrs()[0]
      ?.getComponents()
      .find(({ name }) => name === 'certhash')?.value
  } finally {
    await node.stop()
  }
}

describe('the certificate of WebRTC-direct', () => {
  it('is the same after a restart', async () => {
    const first = await hashOf()
    expect(first).toMatch(/^u/)
    expect(await hashOf()).toBe(first)
  })

  it('is for its owner alone, and leaves no draft', async () => {
    await hashOf()
    const files = await readdir(dataDir)
    expect(files.sort()).toEqual(['webrtc-direct.key', 'webrtc-direct.pem'])
    for (const file of files) expect((await stat(join(dataDir, file))).mode & 0o777).toBe(0o600)
  })

  it('is another one when the old one soon ends', async () => {
    const first = await hashOf()
    const aDay = 24 * 60 * 60_000
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + CERTIFICATE_LIFE_MS - aDay })
    try {
      const second = await hashOf()
      expect(second).not.toBe(first)
      expect(await hashOf()).toBe(second)
    } finally {
      vi.useRealTimers()
    }
  })

  it.each([
    ['webrtc-direct.key', ''],
    ['webrtc-direct.key', 'not a key'],
    ['webrtc-direct.pem', ''],
    ['webrtc-direct.pem', 'not a certificate'],
  ])('is made anew when %s holds %j', async (file, text) => {
    const first = await hashOf()
    await writeFile(join(dataDir, file), text)
    const second = await hashOf()
    expect(second).not.toBe(first)
    expect(await hashOf()).toBe(second)
  })

  it('has no use for a key of another kind', async () => {
    const { keychain } = createCertificateStore(dataDir)
    await keychain.importKey('any', await generateKeyPair('Ed25519'))
    await expect(keychain.exportKey('any')).rejects.toMatchObject({ name: 'NotFoundError' })
  })
})
