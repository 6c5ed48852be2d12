/**
 * A real bridge: the command a person runs, in a process of its own, on free ports and a data folder of its own.
 * Not here: what its other commands say (cli.ts).
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Child, type Exit } from './child.ts'

export const FOOTBRIDGE = ['node', 'apps/bridge/bin/footbridge.mjs'] as const
export const LOGIN_LINK = /https?:\/\/[^\s#]+\/#token=fb1_[A-Za-z0-9_-]{43}/

export interface Bridge {
  /** `http://localhost:<port>`: what browsers open. */
  readonly origin: string
  readonly port: number
  readonly p2pPort: number
  readonly dataDir: string
  /** The first link that the bridge printed; undefined from the second start on. */
  readonly loginLink: string | undefined
  readonly output: string
  /** The multiaddr that a native peer needs to reach `peer` through this bridge, and nothing else. */
  circuitAddress(peer: string): Promise<string>
  /** The bridge's own address for native peers. */
  address(): Promise<string>
  stop(): Promise<Exit>
  /** Stops and starts again on the same ports and data. */
  restart(): Promise<void>
  /** Stops and removes the data. */
  remove(): Promise<void>
}

/** @param flags further flags, such as `--guests`. */
export async function startBridge(flags: readonly string[] = []): Promise<Bridge> {
  const dataDir = await mkdtemp(join(tmpdir(), 'footbridge-e2e-'))
  const [port, p2pPort] = [await freePort(), await freePort()]
  const origin = `http://localhost:${port}`
  let child = await launch()

  async function launch(): Promise<Child> {
    const ports = ['--port', String(port), '--p2p-port', String(p2pPort)]
    const started = new Child([...FOOTBRIDGE, ...ports, '--data-dir', dataDir, ...flags])
    await Promise.race([
      answers(`${origin}/healthz`),
      started.exited.then(({ code, output }) => Promise.reject(new Error(`the bridge ended with ${String(code)}:\n${output}`))),
    ])
    return started
  }

  const address = async (): Promise<string> => {
    const { peer } = (await (await fetch(`${origin}/api/v1/bridge`)).json()) as { peer: string }
    return `/ip4/127.0.0.1/tcp/${p2pPort}/p2p/${peer}`
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
    address,
    circuitAddress: async (peer) => `${await address()}/p2p-circuit/p2p/${peer}`,
    stop: () => child.stop(),
    restart: async () => {
      await child.stop()
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

/** Polls until `url` answers 200: there is no event to wait for before a server listens. */
async function answers(url: string, timeoutMs = 20_000): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (performance.now() < deadline) {
    const response = await fetch(url).catch(() => undefined)
    if (response?.ok === true) return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error(`${url} did not answer in ${timeoutMs} ms`)
}
