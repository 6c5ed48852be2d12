/** Our relay: the whole bridge through its command, with everything that comes before a circuit (login, session, presence, metering). */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createToken } from '../../../helpers/cli.ts'
import { FOOTBRIDGE, freePort } from '../../../helpers/start-bridge.ts'
import { startNodeRelay, type NodeRelay } from '../node-relay.ts'
import { versionOf } from '../versions.ts'
import type { RelaySubject } from './subject.ts'

const START_MS = 20_000

export const footbridge: RelaySubject = {
  id: 'footbridge',
  name: 'footbridge',
  version: `footbridge ${versionOf('@footbridge/bridge')} (libp2p ${versionOf('libp2p')})`,
  async start() {
    const dataDir = await mkdtemp(join(tmpdir(), 'footbridge-bench-'))
    const [port, p2pPort] = [await freePort(), await freePort()]
    const origin = `http://127.0.0.1:${port}`
    const [, ...command] = FOOTBRIDGE
    // The load says which address it comes from: logins are limited per address, and one machine plays hundreds of people.
    const flags = [
      '--disable-mdns',
      '--port',
      String(port),
      '--p2p-port',
      String(p2pPort),
      '--data-dir',
      dataDir,
      '--trusted-proxies',
      '127.0.0.1',
    ]
    const relay = startNodeRelay([...command, ...flags, '--log-level', 'warn'])
    try {
      const peer = await waitForPeer(origin, relay)
      // No limits of bytes or rate: those are the defaults of a made token.
      const { text: token } = await createToken({ dataDir }, 'bench', ['--devices', 'none'])
      return {
        ...relay,
        entry: { protocol: 'libp2p', address: `/ip4/127.0.0.1/tcp/${port}/ws/p2p/${peer}`, login: { origin, token } },
        stop: async () => {
          await relay.stop()
          await rm(dataDir, { recursive: true, force: true })
        },
      }
    } catch (error) {
      await relay.stop()
      throw error
    }
  },
}

async function waitForPeer(origin: string, relay: NodeRelay): Promise<string> {
  const deadline = performance.now() + START_MS
  const poll = async (): Promise<string> => {
    while (performance.now() < deadline) {
      const response = await fetch(`${origin}/api/v1/bridge`).catch(() => undefined)
      if (response?.ok === true) return ((await response.json()) as { peer: string }).peer
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    throw new Error(`${origin} did not answer in ${START_MS} ms`)
  }
  return await Promise.race([poll(), relay.ended])
}
