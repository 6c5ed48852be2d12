#!/usr/bin/env node
/**
 * WebKitGTK, spoken to as if it knew WebDriver BiDi: what Playwright says to a browser is translated into W3C WebDriver, so that the journeys are the same
 * in every engine. Playwright starts this program in place of a browser and reads from it where to connect.
 * What has no counterpart is refused by name: network events and interception, being offline, init scripts before a page's own.
 * Not here: one browser (web-driver.ts), one page (tab.ts).
 */
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import type { Readable } from 'node:stream'
import { WebSocketServer, type WebSocket } from 'ws'
import { expressionOf } from './compiled.ts'
import type { RemoteValue } from './in-page.ts'
import { Tab } from './tab.ts'
import { WebDriver, WebDriverError, type Cookie } from './web-driver.ts'

interface Params {
  readonly context?: string
  readonly contexts?: readonly string[]
  readonly userContext?: string
  readonly userContexts?: readonly string[]
  readonly target?: { readonly context: string; readonly sandbox?: string }
  readonly [field: string]: unknown
}

/** A person's own browser: a profile that lives as long as it does. */
interface Profile {
  readonly driver: WebDriver
  viewport: { readonly width: number; readonly height: number } | undefined
  readonly preloads: string[]
  downloadsFolder: string | undefined
}

/** What Playwright sets up for every browser, and what cannot matter here. */
const NOTHING_TO_DO = new Set([
  'session.subscribe',
  'network.addIntercept',
  'network.removeIntercept',
  'network.addDataCollector',
  'network.setCacheBehavior',
  'browsingContext.activate',
  'emulation.setMediaFeaturesOverride',
  'emulation.setScreenOrientationOverride',
  'emulation.setScreenSettingsOverride',
  'emulation.setLocaleOverride',
  'script.disown',
  'script.removePreloadScript',
])

const xvfb = spawn('Xvfb', ['-displayfd', '3', '-screen', '0', '1600x1200x24', '-nolisten', 'tcp'], {
  stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
})
const display = await new Promise<string>((resolve, reject) => {
  xvfb.once('error', reject)
  const numbers = xvfb.stdio[3] as Readable
  numbers.once('data', (data: Buffer) => resolve(`:${data.toString().trim()}`))
})
const profiles = new Map<string, Promise<Profile>>()
const tabs = new Map<string, Tab>()

const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
server.on('listening', () => process.stderr.write(`WebDriver BiDi listening on ws://127.0.0.1:${(server.address() as AddressInfo).port}\n`))
server.on('connection', (socket) => {
  socket.on('message', (data: Buffer) => void answer(socket, data.toString()))
  socket.on('close', () => void end())
})
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, () => void end())

async function answer(socket: WebSocket, text: string): Promise<void> {
  const { id, method, params } = JSON.parse(text) as { id: number; method: string; params: Params }
  const tell = (event: string, about: object): void => socket.send(JSON.stringify({ type: 'event', method: event, params: about }))
  try {
    const result = await perform(method, params, tell)
    socket.send(JSON.stringify({ type: 'success', id, result: result ?? {} }))
  } catch (error) {
    const code = error instanceof WebDriverError ? error.code : 'unknown error'
    socket.send(JSON.stringify({ type: 'error', id, error: code, message: error instanceof Error ? error.message : String(error) }))
  }
  if (method === 'browser.close') await end()
}

async function perform(method: string, params: Params, tell: (event: string, about: object) => void): Promise<object | void> {
  if (NOTHING_TO_DO.has(method)) return { intercept: randomUUID(), collector: randomUUID() }
  switch (method) {
    case 'session.new':
      return { sessionId: randomUUID(), capabilities: { browserName: 'webkit', browserVersion: 'WebKitGTK', userAgent: '' } }
    case 'browser.close':
      return
    case 'browser.createUserContext': {
      const userContext = randomUUID()
      const started = WebDriver.start({ display, acceptInsecureCerts: params['acceptInsecureCerts'] === true })
      profiles.set(
        userContext,
        started.then((driver) => ({ driver, viewport: undefined, preloads: [], downloadsFolder: undefined })),
      )
      await started
      return { userContext }
    }
    case 'browser.setDownloadBehavior': {
      const { destinationFolder } = params['downloadBehavior'] as { destinationFolder?: string }
      for (const name of params.userContexts ?? []) (await profileOf(name)).downloadsFolder = destinationFolder
      return
    }
    case 'browser.removeUserContext': {
      for (const tab of tabs.values()) {
        if (tab.userContext !== params.userContext) continue
        tab.end()
        tabs.delete(tab.window)
        tell('browsingContext.contextDestroyed', {
          context: tab.window,
          userContext: tab.userContext,
          url: '',
          parent: null,
          children: null,
        })
      }
      const profile = await profileOf(params.userContext)
      profiles.delete(params.userContext ?? '')
      return await profile.driver.stop()
    }
    case 'browsingContext.create': {
      const profile = await profileOf(params.userContext)
      const { driver, viewport } = profile
      const tab = new Tab(driver, await driver.newWindow(), params.userContext ?? '', tell, profile)
      tabs.set(tab.window, tab)
      if (viewport !== undefined) await tab.resize(viewport.width, viewport.height)
      await tab.begin()
      return { context: tab.window }
    }
    case 'browsingContext.close':
      await tabOf(params.context).close()
      tabs.delete(params.context ?? '')
      return
    case 'browsingContext.navigate':
      return { navigation: await tabOf(params.context).navigate(String(params['url'])), url: params['url'] }
    case 'browsingContext.reload':
      return await tabOf(params.context).reload()
    case 'browsingContext.setViewport': {
      const viewport = params['viewport'] as Profile['viewport']
      for (const name of params.userContexts ?? []) (await profileOf(name)).viewport = viewport
      if (params.context !== undefined && viewport) await tabOf(params.context).resize(viewport.width, viewport.height)
      return
    }
    case 'browsingContext.captureScreenshot': {
      const tab = tabOf(params.context)
      return { data: await tab.driver.inWindow(tab.window, 'GET', '/screenshot') }
    }
    case 'script.addPreloadScript': {
      for (const name of params.userContexts ?? []) (await profileOf(name)).preloads.push(String(params['functionDeclaration']))
      return { script: randomUUID() }
    }
    case 'script.evaluate': {
      const { tab, realm } = targetOf(params)
      const declaration = `() => (${expressionOf(String(params['expression']))}\n)`
      return { realm, ...(await tab.call({ declaration, arguments: [], ...howOf(params) })) }
    }
    case 'script.callFunction': {
      const { tab, realm } = targetOf(params)
      const declaration = String(params['functionDeclaration'])
      return { realm, ...(await tab.call({ declaration, arguments: (params['arguments'] ?? []) as RemoteValue[], ...howOf(params) })) }
    }
    case 'input.performActions': {
      const tab = tabOf(params.context)
      await tab.driver.inWindow(tab.window, 'POST', '/actions', { actions: (params['actions'] as Source[]).map(wholePixels) })
      return
    }
    case 'input.setFiles':
      return await tabOf(params.context).setFiles((params['element'] as { sharedId: string }).sharedId, params['files'] as string[])
    case 'storage.getCookies': {
      const { userContext } = params['partition'] as { userContext: string }
      const own = [...tabs.values()].filter((tab) => tab.userContext === userContext)
      const cookies = await Promise.all(own.map(async (tab) => (await tab.driver.inWindow(tab.window, 'GET', '/cookie')) as Cookie[]))
      return { cookies: cookies.flat().map((cookie) => ({ ...cookie, value: { type: 'string', value: cookie.value } })) }
    }
    default:
      throw new WebDriverError('unsupported operation', `WebKitGTK cannot do ${method}`)
  }
}

async function profileOf(userContext: string | undefined): Promise<Profile> {
  const profile = await profiles.get(userContext ?? '')
  if (profile === undefined) throw new WebDriverError('no such user context', 'WebKitGTK keeps no profile beyond a browser’s life')
  return profile
}

function tabOf(context: string | undefined): Tab {
  const tab = tabs.get(context ?? '')
  if (tab === undefined) throw new WebDriverError('no such frame', 'the page is closed')
  return tab
}

function targetOf({ target }: Params): { tab: Tab; realm: string } {
  const tab = tabOf(target?.context)
  return { tab, realm: tab.realm(target?.sandbox) }
}

function howOf(params: Params): { byHandle: boolean; awaits: boolean } {
  return { byHandle: params['resultOwnership'] === 'root', awaits: params['awaitPromise'] === true }
}

interface Source {
  readonly actions: readonly { readonly x?: number; readonly y?: number }[]
}

/** BiDi may point between pixels, WebDriver may not. */
function wholePixels(source: Source): Source {
  const whole = source.actions.map((action) =>
    action.x === undefined || action.y === undefined ? action : { ...action, x: Math.round(action.x), y: Math.round(action.y) },
  )
  return { ...source, actions: whole }
}

let ending: Promise<void> | undefined
async function end(): Promise<void> {
  ending ??= (async () => {
    for (const tab of tabs.values()) tab.end()
    await Promise.allSettled([...profiles.values()].map(async (profile) => (await profile).driver.stop()))
    xvfb.kill()
    process.exit(0)
  })()
  await ending
}
