/**
 * `@localfirst/relay`: its server in a process of its own. Its one import of JSON uses `assert`, which Node gave up after 20; the word is replaced while it
 * loads, so that all relays run on the same Node. Nothing else of it is touched. Started by localfirst.ts.
 */
import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../../helpers/start-bridge.ts'

registerHooks({
  load(url, context, next) {
    const loaded = next(url, context)
    if (!url.endsWith('/@localfirst/relay/dist/Server.js')) return loaded
    const source = readFileSync(fileURLToPath(url), 'utf8')
    return { ...loaded, source: source.replace('assert { type: "json" }', 'with { type: "json" }') }
  },
})
const { Server } = await import('@localfirst/relay/Server.js')
const port = await freePort()
await new Server({ port }).listen({ silent: true })
process.send?.({ ready: `ws://127.0.0.1:${port}` })
process.once('SIGTERM', () => process.exit(0))
