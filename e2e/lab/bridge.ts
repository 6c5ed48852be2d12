/**
 * The bridge of the lab: the command an operator runs, on a host of its own, with a name, TLS on port 443 and WebTransport beside it.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { nativeNode } from '../../scripts/newer-glibc.ts'
import { LOGIN_LINK } from '../helpers/start-bridge.ts'
import { BRIDGE_NAME } from './layout.ts'
import type { World } from './world.ts'
import type { Carrier } from './expected.ts'

export const BRIDGE_ORIGIN = `https://${BRIDGE_NAME}`

export interface LabBridge {
  readonly dataDir: string
  readonly peer: string
  /** Where native peers reach it: QUIC or TCP. */
  readonly addresses: Readonly<Record<Carrier, string>>
  readonly output: string
}

/** It ends with the world. */
export async function startLabBridge(world: World): Promise<LabBridge> {
  const dataDir = join(world.folder, 'bridge')
  mkdirSync(dataDir, { recursive: true })
  const flags = ['--disable-mdns', '--host', '0.0.0.0', '--port', '443', '--public-url', BRIDGE_ORIGIN, '--data-dir', dataDir]
  const tls = ['--tls-cert', world.certificates.cert, '--tls-key', world.certificates.key]
  const command = [...nativeNode(), '--max-semi-space-size=4', 'apps/bridge/bin/footbridge.mjs', ...flags, ...tls]
  const child = world.start(world.layout.bridge.namespace, command)
  // Its interface has a public address, as many servers' have: native peers are told of it without a word from the operator.
  const here = `/ip4/${world.layout.bridge.address}`
  const found = (address: RegExp): Promise<string> => child.line((line) => address.exec(line)?.[0], 60_000)
  const tcp = await found(new RegExp(`${here}/tcp/\\d+/p2p/\\w+`))
  const udp = await found(new RegExp(`${here}/udp/\\d+/quic-v1/p2p/\\w+`))
  await child.line((line) => LOGIN_LINK.exec(line)?.[0], 60_000)
  return {
    dataDir,
    peer: tcp.slice(tcp.lastIndexOf('/') + 1),
    addresses: { tcp, udp },
    get output() {
      return child.output
    },
  }
}
