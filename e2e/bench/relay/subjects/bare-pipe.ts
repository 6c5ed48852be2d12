/** The limit: one `ws` socket's messages written to another, with backpressure, and nothing else. Runs in bare-pipe-process.ts. */
import { startScript } from '../node-relay.ts'
import { versionOf } from '../versions.ts'
import type { RelaySubject } from './subject.ts'

export const barePipe: RelaySubject = {
  id: 'pipe',
  name: 'bare ws pipe',
  version: `ws ${versionOf('ws')}`,
  async start() {
    const relay = await startScript('e2e/bench/relay/subjects/bare-pipe-process.ts')
    return { ...relay, entry: { protocol: 'ws', address: relay.address } }
  },
}
