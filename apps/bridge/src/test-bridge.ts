/**
 * For tests: a whole bridge on ports of its own, and stock libp2p peers that know nothing of ours but the login's bytes.
 */
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { generateKeyPair, publicKeyToProtobuf } from '@libp2p/crypto/keys'
import { identify, type Identify } from '@libp2p/identify'
import type { Ed25519PrivateKey, Libp2p } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { peerIdFromString } from '@libp2p/peer-id'
import { ping, type Ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import { encodeLoginStatement, type LoginRequest, type SessionAnswer } from '@footbridge/shared/login'
import { base64urlEncode } from '@footbridge/shared/text-codec'
import { createMemoryStorage } from '@footbridge/storage/memory/memory-storage'
import type { Storage } from '@footbridge/storage/ports'
import { createLibp2p } from 'libp2p'
import { createBridge, type BridgeParts, type RunningBridge } from './bridge.ts'
import { readConfig } from './config/config.ts'
import { createLog } from './telemetry/log.ts'

export interface TestBridge extends RunningBridge {
  readonly storage: Storage
  /** The first token's text. */
  readonly token: string
  stop(): Promise<void>
}

export type Peer = Libp2p<{ ping: Ping }>

/** What a test starts; `end` stops it all, last first. */
export interface Bench {
  readonly cleanups: (() => Promise<unknown> | void)[]
  readonly startBridge: (
    settings?: Readonly<Record<string, string>>,
    parts?: Pick<BridgeParts, 'webTransport'>,
    env?: Readonly<Record<string, string>>,
  ) => Promise<TestBridge>
  /** The stack of a browser, logged in, with a reservation. `firstHop` dials another address than the one that the login gave; `options` are libp2p's. */
  readonly startBrowser: (
    bridge: TestBridge,
    name: string,
    firstHop?: string,
    key?: Ed25519PrivateKey,
    options?: object,
  ) => Promise<{ node: Peer; session: SessionAnswer }>
  readonly startNative: (listen?: readonly string[]) => Promise<Peer>
  readonly startNode: (options: object) => Promise<Peer>
  readonly end: () => Promise<void>
}

export function createBench(): Bench {
  const cleanups: Bench['cleanups'] = []

  const startNode = async (options: object): Promise<Peer> => {
    const node = await createLibp2p<{ ping: Ping; identify: Identify }>({
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      services: { identify: identify(), ping: ping() },
      ...options,
    })
    cleanups.push(() => {
      for (const connection of node.getConnections()) connection.abort(new Error('the test is over'))
      return node.stop()
    })
    return node
  }

  return {
    cleanups,
    startNode,
    async startBridge(settings = {}, parts = {}, env = {}) {
      const dataDir = await mkdtemp(join(tmpdir(), 'footbridge-bridge-'))
      const storage = createMemoryStorage()
      const made = createBridge(readConfig({ port: '0', dataDir, drain: '0', disableMdns: 'true', ...settings }, env), {
        storage,
        log: createLog({ level: 'silent' }),
        clock: Date.now,
        randomBytes,
        version: '0.0.0',
        ...parts,
      })
      cleanups.push(
        () => rm(dataDir, { recursive: true }),
        () => made.stop(),
      )
      const running = await made.start()
      const first = await running.tokens.ensureFirst()
      if (first === undefined) throw new Error('a new bridge has no token')
      return { ...running, storage, token: first.token, stop: () => made.stop() }
    },
    async startBrowser(bridge, name, firstHop, key, options = {}) {
      const privateKey = key ?? (await generateKeyPair('Ed25519'))
      const session = await login(bridge, privateKey, name)
      const listen = [firstHop, ...session.firstHops].flatMap((hop) => (hop === undefined ? [] : `${hop}/p2p-circuit`)).slice(0, 1)
      const node = await startNode({ privateKey, addresses: { listen }, transports: [webSockets(), circuitRelayTransport()], ...options })
      return { session, node }
    },
    startNative: (listen = []) => startNode({ addresses: { listen: [...listen] }, transports: [tcp(), circuitRelayTransport()] }),
    async end() {
      for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
    },
  }
}

/** The body of a login with a token, signed now. */
export async function signLogin(bridgePeer: string, key: Ed25519PrivateKey, token: string, name?: string): Promise<LoginRequest> {
  const [nonce, timestamp] = [randomBytes(16), Date.now()]
  const tokenHash = createHash('sha256').update(token).digest()
  const bridge = peerIdFromString(bridgePeer).toMultihash().bytes
  return {
    credential: { kind: 'token', token },
    publicKey: base64urlEncode(publicKeyToProtobuf(key.publicKey)),
    timestamp,
    nonce: base64urlEncode(nonce),
    signature: base64urlEncode(await key.sign(encodeLoginStatement({ bridge, credential: 'token', tokenHash, timestamp, nonce }))),
    ...(name !== undefined && { name }),
  }
}

async function login(bridge: TestBridge, key: Ed25519PrivateKey, name: string): Promise<SessionAnswer> {
  const response = await fetch(`${bridge.url}/api/v1/sessions`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(await signLogin(bridge.peer, key, bridge.token, name)),
  })
  if (response.status !== 201) throw new Error(`the login was answered ${response.status}: ${await response.text()}`)
  return (await response.json()) as SessionAnswer
}
