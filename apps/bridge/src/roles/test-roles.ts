/** For tests: roles on ports of the system's choice with a folder of their own, and stock libp2p peers. */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { quic } from '@chainsafe/libp2p-quic'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify, type Identify } from '@libp2p/identify'
import type { Libp2p, PrivateKey, ServiceMap } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { ping, type Ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { createLog } from '../telemetry/log.ts'
import type { Role, RoleParts, RunningRole } from './role.ts'

export type StockPeer = Libp2p<{ identify: Identify; ping: Ping }>

export interface RoleBench {
  readonly dataDir: () => Promise<string>
  readonly parts: RoleParts
  readonly start: <Services extends ServiceMap>(role: Role<Services>) => Promise<RunningRole<Services>>
  readonly startPeer: (listen?: readonly string[], privateKey?: PrivateKey) => Promise<StockPeer>
  readonly end: () => Promise<void>
}

export function createRoleBench(): RoleBench {
  const cleanups: (() => Promise<unknown> | void)[] = []
  return {
    parts: { log: createLog({ level: 'silent' }), clock: Date.now, randomBytes: (length) => randomBytes(length), version: '0.0.0' },
    async dataDir() {
      const folder = await mkdtemp(join(tmpdir(), 'footbridge-role-'))
      cleanups.push(() => rm(folder, { recursive: true }))
      return folder
    },
    async start(role) {
      cleanups.push(() => role.stop())
      return role.start()
    },
    async startPeer(listen = [], privateKey) {
      const node = await createLibp2p<{ identify: Identify; ping: Ping }>({
        ...(privateKey && { privateKey }),
        addresses: { listen: [...listen] },
        transports: [tcp(), quic(), webSockets(), circuitRelayTransport()],
        connectionEncrypters: [noise()],
        streamMuxers: [yamux()],
        services: { identify: identify(), ping: ping() },
      })
      cleanups.push(() => {
        for (const connection of node.getConnections()) connection.abort(new Error('the test is over'))
        return node.stop()
      })
      return node
    },
    async end() {
      for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
    },
  }
}
