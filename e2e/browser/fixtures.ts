/**
 * What a journey starts with: a bridge of its own, and people. One browser context is one person; nothing is shared between journeys.
 */
import { test as base, type Browser, type BrowserContext, type Page } from '@playwright/test'
import { isEngine, type Engine } from '../engines/engines.ts'
import { App } from '../helpers/app.ts'
import type { Child } from '../helpers/child.ts'
import { createToken, listPeers, type NewToken } from '../helpers/cli.ts'
import { startBridge, type Bridge } from '../helpers/start-bridge.ts'

export interface Person {
  readonly name: string
  readonly token: NewToken
  readonly context: BrowserContext
  readonly page: Page
  readonly app: App
  /** The PeerID, as the bridge lists it. */
  readonly peer: string
}

interface Fixtures {
  bridgeFlags: string[]
  /** Whose run this is. */
  engine: Engine
  bridge: Bridge
  /** Makes a token, opens its link in a browser of their own and waits until they are reachable. */
  person: (name: string, limits?: readonly string[]) => Promise<Person>
  /** The same in a browser that the journey started itself. */
  personIn: (browser: Browser, name: string, limits?: readonly string[]) => Promise<Person>
  /** Gives a process to the journey's end to stop. */
  until: (child: Child) => Child
}

export const test = base.extend<Fixtures>({
  bridgeFlags: [[], { option: true }],
  // Playwright reads what a fixture needs from this pattern, and this one needs nothing.
  // oxlint-disable-next-line no-empty-pattern
  engine: async ({}, use, info) => {
    const { name } = info.project
    if (!isEngine(name)) throw new Error(`the project ${name} has no engine of its own`)
    await use(name)
  },
  bridge: async ({ bridgeFlags }, use, info) => {
    const bridge = await startBridge(bridgeFlags)
    await use(bridge)
    if (info.status !== info.expectedStatus) await info.attach('bridge.log', { body: bridge.output, contentType: 'text/plain' })
    await bridge.remove()
  },
  person: async ({ browser, personIn }, use) => {
    await use((name, limits) => personIn(browser, name, limits))
  },
  personIn: async ({ bridge }, use, info) => {
    const contexts: BrowserContext[] = []
    const logs: string[] = []
    await use(async (browser, name, limits = []) => {
      const token = await createToken(bridge, name, limits)
      const context = await browser.newContext()
      contexts.push(context)
      const page = await context.newPage()
      page.on('console', (message) => logs.push(`${name}: ${message.type()} ${message.text()}`))
      page.on('pageerror', (error) => logs.push(`${name}: uncaught ${error.stack ?? error.message}`))
      const app = new App(page)
      await app.arrive(token.link, name)
      const peer = (await listPeers(bridge)).find((row) => row.tokenId === token.id)?.peer
      if (peer === undefined) throw new Error(`the bridge does not list ${name}`)
      return { name, token, context, page, app, peer }
    })
    if (info.status !== info.expectedStatus) await info.attach('console.log', { body: logs.join('\n'), contentType: 'text/plain' })
    await Promise.all(contexts.map((context) => context.close()))
  },
  // oxlint-disable-next-line no-empty-pattern
  until: async ({}, use) => {
    const children: Child[] = []
    await use((child) => {
      children.push(child)
      return child
    })
    await Promise.all(children.map((child) => child.stop()))
  },
})

export { expect } from '@playwright/test'
