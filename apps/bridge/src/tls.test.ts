/** A bridge with a certificate of its own. The pairs in http/fixtures are self-signed, for localhost, good until 2126, and secret to nobody. */
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromString } from '@libp2p/peer-id'
import { webSockets } from '@libp2p/websockets'
import type { SessionAnswer } from '@footbridge/shared/login'
import { multiaddr } from '@multiformats/multiaddr'
import { Hono } from 'hono'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { App } from './http/app.ts'
import { readCertificate, watchCertificate, type CertificatePair } from './http/certificate.ts'
import { createServer } from './http/server.ts'
import { createWebSocketServer } from './http/sockets.ts'
import { createBench, signLogin, type TestBridge } from './test-bridge.ts'

const fixture = (name: string): string => join(import.meta.dirname, 'http/fixtures', name)
const files = { certFile: fixture('first-cert.pem'), keyFile: fixture('first-key.pem') }

describe('a bridge with a certificate', () => {
  const bench = createBench()
  let bridge: TestBridge
  beforeEach(async () => {
    bridge = await bench.startBridge({ tlsCert: files.certFile, tlsKey: files.keyFile })
  })
  afterEach(() => bench.end())

  it('logs in over https and gives first hops that a stock client dials over TLS', async () => {
    const key = await generateKeyPair('Ed25519')
    const session = await post<SessionAnswer>(`${bridge.url}/api/v1/sessions`, await signLogin(bridge.peer, key, bridge.token))
    expect(session.firstHops).toEqual([
      `/dns/localhost/tcp/${bridge.port}/tls/ws/p2p/${bridge.peer}`,
      `/dns/localhost/tcp/${bridge.port}/tls/http/http-path/api%2Fv1%2Ftunnels/p2p/${bridge.peer}`,
    ])
    // A browser trusts the operator's certificate; here nobody signed it.
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0')
    const node = await bench.startNode({ privateKey: key, transports: [webSockets()] })
    const connection = await node.dial(multiaddr(session.firstHops[0]!))
    expect(connection.remoteAddr.toString()).toContain('/tls/ws')
    expect(await node.services.ping.ping(peerIdFromString(bridge.peer))).toBeGreaterThanOrEqual(0)
    expect(bridge.registry.list()).toMatchObject([{ state: 'connected' }])
    vi.unstubAllEnvs()
  })

  it('does not answer plain HTTP there', async () => {
    await expect(fetch(`http://localhost:${bridge.port}/healthz`)).rejects.toThrow()
  })

  it('shows the certificate that it was given', async () => {
    expect(await shownBy(bridge.port)).toBe('first.bridge.test')
  })
})

describe('a renewed certificate', () => {
  it('is shown to connections from then on', async () => {
    const app = new Hono() as unknown as App
    const server = createServer({
      app,
      webSocketServer: createWebSocketServer(),
      host: '127.0.0.1',
      port: 0,
      tls: await readCertificate(files),
    })
    const port = await server.listen()
    server.useCertificate(await readCertificate({ certFile: fixture('second-cert.pem'), keyFile: fixture('second-key.pem') }))
    expect(await shownBy(port)).toBe('second.bridge.test')
    await server.stop()
  })

  it('is told of when its files change, and never a pair that does not belong together', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'footbridge-tls-'))
    const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
    await copyFile(files.certFile, certFile)
    await copyFile(files.keyFile, keyFile)
    const renewed: CertificatePair[] = []
    const errors: unknown[] = []
    const options = { certFile, keyFile, checkMs: 5, onError: (error: unknown) => errors.push(error) }
    const stop = watchCertificate(await readCertificate(options), options, (pair) => renewed.push(pair))
    await copyFile(fixture('second-cert.pem'), certFile)
    await vi.waitFor(() => expect(errors.length).toBeGreaterThan(1), { interval: 5 })
    expect(renewed).toEqual([])
    await writeFile(keyFile, '')
    const before = errors.length
    await vi.waitFor(() => expect(errors.length).toBeGreaterThan(before + 1), { interval: 5 })
    expect(renewed).toEqual([])
    await copyFile(fixture('second-key.pem'), keyFile)
    await vi.waitFor(() => expect(renewed).toHaveLength(1), { interval: 5 })
    expect(renewed).toEqual([await readCertificate({ certFile: fixture('second-cert.pem'), keyFile: fixture('second-key.pem') })])
    stop()
    await rm(folder, { recursive: true })
  })
})

function post<Answer>(url: string, body: unknown): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      { method: 'POST', rejectUnauthorized: false, headers: { 'Content-Type': 'application/json' } },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => resolve(JSON.parse(Buffer.concat(chunks).toString())))
      },
    )
    sent.on('error', reject).end(JSON.stringify(body))
  })
}

function shownBy(port: number): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: 'localhost', rejectUnauthorized: false }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN))
      socket.destroy()
    })
    socket.on('error', reject)
  })
}
