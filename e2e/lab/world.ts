/**
 * A layout that stands: its namespaces, its lines, and the servers on its internet. Whoever opens one closes it; what a killed run left, the next removes.
 * Not here: the bridge (bridge.ts) and the people (people.ts).
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Child } from '../helpers/child.ts'
import { makeCertificates, type Certificates } from './certificates.ts'
import { buildCommands, linePortOf } from './commands.ts'
import { BRIDGE_NAME, bridgeSeenFrom, hostsOf, layOut, PROXY_PORT, type Layout, type Site } from './layout.ts'
import type { Line } from './line-process.ts'
import type { Network } from './networks.ts'
import { PROBE_DATAGRAMS, wrongAbout } from './probe.ts'
import type { ProbeFacts, ProbeTask } from './probe-process.ts'
import { prepareProxy } from './proxies.ts'
import { folderOf, NETNS_FILES, sweep } from './sweep.ts'

export interface World {
  readonly layout: Layout
  readonly certificates: Certificates
  /** For files of this run; removed at its end. */
  readonly folder: string
  /** `command`, wrapped so that it runs there. */
  within(namespace: string, command: readonly string[]): readonly string[]
  /** Starts a process that ends with the world. */
  start(namespace: string, command: readonly string[]): Child
  /** Asks each network what it is. Needs the bridge. @returns what is wrong, in sentences. */
  probe(): Promise<readonly string[]>
  /** From now on nothing passes between these networks and the internet, and nobody is told. */
  cut(sites: readonly Site[]): void
  /** Ends all cuts. */
  mend(): void
  /** Idempotent. */
  close(): Promise<void>
}

/** @param run process id of this run. */
export async function openWorld(networks: readonly Network[], run: number): Promise<World> {
  const layout = layOut(networks, run)
  const folder = folderOf(run)
  const children: Child[] = []
  const within = (namespace: string, command: readonly string[]): readonly string[] => ['ip', 'netns', 'exec', namespace, ...command]
  const start = (namespace: string, command: readonly string[]): Child => {
    const child = new Child(within(namespace, command))
    children.push(child)
    return child
  }
  const close = async (): Promise<void> => {
    await Promise.all(children.map((child) => child.stop()))
    sweep(run)
  }
  try {
    mkdirSync(folder, { recursive: true, mode: 0o755 })
    const certificates = makeCertificates(folder, BRIDGE_NAME)
    writeHosts(layout)
    execFileSync('sh', ['-e'], { input: buildCommands(layout).join('\n'), stdio: ['pipe', 'pipe', 'inherit'] })
    const lines: Record<number, Line> = {}
    for (const site of layout.sites) lines[linePortOf(site)] = { delayMs: site.network.delayMs, lossPercent: site.network.lossPercent }
    const { landmark } = layout
    await Promise.all([
      start(layout.lineHolder, ['node', 'e2e/lab/line-process.ts', JSON.stringify(lines)]).event('ready'),
      start(landmark.namespace, ['node', 'e2e/lab/landmark-process.ts', landmark.address, landmark.otherAddress]).event('ready'),
    ])
    for (const site of layout.sites) {
      if (site.proxy === undefined || site.network.proxy === undefined) continue
      const own = join(folder, site.person.replace(' ', '-'))
      start(site.proxy.namespace, prepareProxy(site.network.proxy, own, certificates, layout.bridge.address))
    }
    const nft = (command: string): void => void execFileSync('ip', ['netns', 'exec', layout.core, 'nft', command])
    return {
      layout,
      certificates,
      folder,
      within,
      start,
      close,
      probe: async () => (await Promise.all(layout.sites.map((site) => probeSite(layout, site, start)))).flat(),
      cut: (sites) => nft(`add element ip lab cut { ${sites.map((site) => site.line).join(', ')} }`),
      mend: () => nft('flush set ip lab cut'),
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** Names come from files: the lab has no name server, and asks none. */
function writeHosts(layout: Layout): void {
  const write = (namespace: string, bridge: string): void => {
    mkdirSync(join(NETNS_FILES, namespace), { recursive: true })
    // With a dot at its end too: so WebRTC in Chromium asks for the name of a STUN server.
    writeFileSync(join(NETNS_FILES, namespace, 'hosts'), `127.0.0.1 localhost\n${bridge} ${BRIDGE_NAME} ${BRIDGE_NAME}.\n`)
    writeFileSync(join(NETNS_FILES, namespace, 'resolv.conf'), '')
  }
  write(layout.bridge.namespace, layout.bridge.address)
  for (const site of layout.sites) for (const host of hostsOf(site)) write(host.namespace, bridgeSeenFrom(layout, site, host))
}

async function probeSite(layout: Layout, site: Site, start: World['start']): Promise<readonly string[]> {
  const [host] = site.hosts
  if (host === undefined) return [`${site.person}: the network has no machine`]
  const isSet = site.proxy !== undefined && site.network.proxy !== 'reverse'
  const task: ProbeTask = {
    landmark: [layout.landmark.address, layout.landmark.otherAddress],
    datagrams: PROBE_DATAGRAMS,
    bridge: BRIDGE_NAME,
    ...(isSet && { proxy: { host: site.proxy.address, port: PROXY_PORT } }),
  }
  const child = start(host.namespace, ['node', 'e2e/lab/probe-process.ts', JSON.stringify(task)])
  const { facts } = await child.event('facts', undefined, 60_000)
  return wrongAbout(site.network, facts as ProbeFacts)
}
