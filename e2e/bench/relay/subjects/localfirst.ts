/** `@localfirst/relay`'s server as it is published: joins two sockets by their paths and passes messages on, without backpressure. Runs in localfirst-process.ts. */
import { startScript } from '../node-relay.ts'
import { versionOf } from '../versions.ts'
import type { RelaySubject } from './subject.ts'

export const localfirst: RelaySubject = {
  id: 'localfirst',
  name: '@localfirst/relay',
  version: `@localfirst/relay ${versionOf('@localfirst/relay')} (ws ${versionOf('express-ws/node_modules/ws')})`,
  async start() {
    const relay = await startScript('e2e/bench/relay/subjects/localfirst-process.ts')
    return { ...relay, entry: { protocol: 'ws', address: relay.address } }
  },
}
