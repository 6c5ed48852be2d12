/**
 * People in the lab: a real Chromium each, on a machine of one network, with the real app. What they do and see goes through the app's page object.
 * Not here: who talks with whom, and what is measured (talks.ts).
 */
import { chromium, type Browser } from '@playwright/test'
import { join } from 'node:path'
import { root } from '../../scripts/steps.ts'
import { App } from '../helpers/app.ts'
import { ensureChromium } from '../helpers/chromium.ts'
import { createToken } from '../helpers/cli.ts'
import type { LabBridge } from './bridge.ts'
import type { Hop } from './expected.ts'
import { PROXY_PORT, type Site } from './layout.ts'
import type { World } from './world.ts'

export interface Person {
  readonly name: string
  readonly site: Site
  readonly app: App
  /** Milliseconds from opening the login link, with nothing in any cache, to being reachable. */
  readonly arrivedMs: number
  /** What the page printed and threw. */
  readonly log: readonly string[]
  /** The first hop that the app shows; waits for one. */
  hop(): Promise<Hop>
  leave(): Promise<void>
}

const HOPS = ['webtransport', 'websocket', 'tunnel'] as const satisfies readonly Hop[]
/** Browsers that start at the same time: each keeps a core busy while it does. */
const STARTING = 2
/** A network that is slow to get in is slow, not broken; one that needs longer is. */
export const PATIENCE_MS = 60_000

/** Brings everybody in. @throws when somebody cannot come in, with their name and what their page said. */
export async function gatherPeople(world: World, bridge: LabBridge, note: (line: string) => void): Promise<readonly Person[]> {
  const executable = ensureChromium()
  const waiting = [...world.layout.sites]
  const people: Person[] = []
  const bringIn = async (): Promise<void> => {
    for (let site = waiting.shift(); site !== undefined; site = waiting.shift()) {
      const person = await arrive(world, bridge, executable, site)
      note(`${person.name} is in after ${Math.round(person.arrivedMs)} ms`)
      people.push(person)
    }
  }
  await Promise.all(Array.from({ length: STARTING }, bringIn))
  return people
}

async function arrive(world: World, bridge: LabBridge, executable: string, site: Site): Promise<Person> {
  const [host] = site.hosts
  if (host === undefined) throw new Error(`${site.person} has no machine to sit at`)
  const isSet = site.proxy !== undefined && site.network.proxy !== 'reverse'
  const browser: Browser = await chromium.launch({
    executablePath: join(root, 'e2e/lab/chromium-in-namespace.sh'),
    env: { ...process.env, LAB_NAMESPACE: host.namespace, LAB_CHROMIUM: executable } as Record<string, string>,
    args: [
      `--ignore-certificate-errors-spki-list=${world.certificates.trustedKeys.join(',')}`,
      ...(isSet ? [`--proxy-server=http://${site.proxy.address}:${PROXY_PORT}`] : []),
    ],
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
  })
  const page = await (await browser.newContext({ locale: 'en-GB', viewport: { width: 1280, height: 800 } })).newPage()
  page.setDefaultTimeout(PATIENCE_MS)
  const log: string[] = []
  page.on('console', (message) => log.push(`${message.type()} ${message.text()}`))
  page.on('pageerror', (error) => log.push(`uncaught ${error.stack ?? error.message}`))
  const app = new App(page)
  const { link } = await createToken(bridge, site.person)
  const startedAt = performance.now()
  try {
    await page.goto(link)
    await app.giveName(site.person)
    await app.online(PATIENCE_MS)
  } catch (cause) {
    throw new Error(`${site.person} cannot come in:\n${log.join('\n')}`, { cause })
  }
  return {
    name: site.person,
    site,
    app,
    log,
    arrivedMs: performance.now() - startedAt,
    hop: () => hopOf(app),
    leave: () => browser.close(),
  }
}

async function hopOf(app: App): Promise<Hop> {
  await app.online(PATIENCE_MS)
  for (const hop of HOPS) if (await app.hop(`hop_${hop}`).isVisible()) return hop
  // Between two of them: it has gone since the line before.
  return hopOf(app)
}
