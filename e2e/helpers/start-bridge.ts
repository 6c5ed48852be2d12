/**
 * A real bridge: the command a person runs, in a process of its own, on free ports and a data folder of its own.
 * Not here: what its other commands say (cli.ts).
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { get as getPlain } from 'node:http'
import { get as getSecure } from 'node:https'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Child, type Exit } from './child.ts'
import type { FarNetwork } from './far-network.ts'

const NODE = ['node'] as const
const PROGRAM = ['--max-semi-space-size=4', 'apps/bridge/bin/footbridge.mjs'] as const
export const FOOTBRIDGE = [...NODE, ...PROGRAM] as const
export const LOGIN_LINK = /https?:\/\/[^\s#]+\/#token=fb1_[A-Za-z0-9_-]{43}/

export interface Bridge {
  /** `http://localhost:<port>`, or `https:` with `--tls-cert`: what browsers open. */
  readonly origin: string
  readonly port: number
  readonly p2pPort: number
  readonly dataDir: string
  /** The first link that the bridge printed; undefined from the second start on. */
  readonly loginLink: string | undefined
  readonly output: string
  /** Of its process. */
  readonly pid: number
  /** The multiaddr that a native peer needs to reach `peer` through this bridge, and nothing else. */
  circuitAddress(peer: string): Promise<string>
  /** The bridge's own address for native peers. */
  address(): Promise<string>
  stop(): Promise<Exit>
  /** Ends it without a goodbye, as a power cut does. */
  kill(): Promise<Exit>
  /** Stops it if it runs, and starts it on the same ports and data. Ends once it answers. */
  restart(): Promise<void>
  /** The same, with so many seconds in between. */
  restartAfter(seconds: number): Promise<void>
  /** Stops and removes the data. */
  remove(): Promise<void>
}

/**
 * @param flags further flags, such as `--guests`; with `--tls-cert <file>` that certificate is trusted here.
 * @param env for its process alone.
 * @param node what runs it: scripts/newer-glibc.ts knows one that can do WebTransport.
 * @param far where it runs instead of in our own network; `origin` is then plain HTTP at an address, which browsers must be told to trust.
 */
export async function startBridge(
  flags: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
  far?: FarNetwork,
  node: readonly string[] = NODE,
): Promise<Bridge> {
  const dataDir = await mkdtemp(join(tmpdir(), 'footbridge-e2e-'))
  const [port, p2pPort] = [await freePort(), await freePort()]
  const certificate = flags.includes('--tls-cert') ? await readFile(flags[flags.indexOf('--tls-cert') + 1] ?? '', 'utf8') : undefined
  const origin = `${certificate === undefined ? 'http' : 'https'}://${far?.address ?? 'localhost'}:${port}`
  const read = (path: string): Promise<string | undefined> => getText(origin + path, certificate)
  let child = await launch()

  async function launch(): Promise<Child> {
    const ports = ['--port', String(port), '--p2p-port', String(p2pPort)]
    const place = far === undefined ? [] : ['--host', far.address, '--public-url', origin]
    // Bridges of other journeys on this machine are none of its business.
    const alone = flags.includes('--mdns-tags') ? [] : ['--disable-mdns']
    const command = [...node, ...PROGRAM, ...ports, '--data-dir', dataDir, ...place, ...alone, ...flags]
    const started = new Child(far?.within(command) ?? command, env)
    await Promise.race([
      answers(() => read('/healthz'), `${origin}/healthz`),
      started.exited.then(({ code, output }) => Promise.reject(new Error(`the bridge ended with ${String(code)}:\n${output}`))),
    ])
    return started
  }

  const address = async (): Promise<string> => {
    const { peer } = JSON.parse((await read('/api/v1/bridge')) ?? '{}') as { peer: string }
    return `/ip4/${far?.address ?? '127.0.0.1'}/tcp/${p2pPort}/p2p/${peer}`
  }
  return {
    origin,
    port,
    p2pPort,
    dataDir,
    get loginLink() {
      return LOGIN_LINK.exec(child.output)?.[0]
    },
    get output() {
      return child.output
    },
    get pid() {
      return child.pid
    },
    address,
    circuitAddress: async (peer) => `${await address()}/p2p-circuit/p2p/${peer}`,
    stop: () => child.stop(),
    kill: () => child.stop('SIGKILL'),
    restart: async () => {
      await child.stop()
      child = await launch()
    },
    restartAfter: async (seconds) => {
      await child.stop()
      await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
      child = await launch()
    },
    remove: async () => {
      await child.stop()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** The body of an answer 200, undefined for anything else. fetch() cannot be told of a certificate. */
function getText(url: string, certificate: string | undefined): Promise<string | undefined> {
  return new Promise((resolve) => {
    const options = { agent: false, timeout: 5_000 }
    const request = certificate === undefined ? getPlain(url, options) : getSecure(url, { ...options, ca: certificate })
    request.once('error', () => resolve(undefined))
    request.once('timeout', () => request.destroy())
    request.once('response', (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (body += chunk))
      response.once('close', () => resolve(response.complete && response.statusCode === 200 ? body : undefined))
    })
  })
}

/** Polls until `read` gives something: there is no event to wait for before a server listens. */
async function answers(read: () => Promise<string | undefined>, what: string, timeoutMs = 20_000): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (performance.now() < deadline) {
    if ((await read()) !== undefined) return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error(`${what} did not answer in ${timeoutMs} ms`)
}
