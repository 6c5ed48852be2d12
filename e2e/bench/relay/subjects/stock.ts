/** js-libp2p's own relay server with every limit off or out of reach. Runs in stock-process.ts. */
import { startScript } from '../node-relay.ts'
import { versionOf } from '../versions.ts'
import type { RelaySubject } from './subject.ts'

export const stock: RelaySubject = {
  id: 'stock',
  name: 'stock js-libp2p',
  version: `@libp2p/circuit-relay-v2 ${versionOf('@libp2p/circuit-relay-v2')} (libp2p ${versionOf('libp2p')})`,
  async start() {
    const relay = await startScript('e2e/bench/relay/subjects/stock-process.ts')
    return { ...relay, entry: { protocol: 'libp2p', address: relay.address } }
  },
}
