/**
 * One page of WebKitGTK as WebDriver BiDi sees a browsing context. WebDriver has no events, so the page is looked at many times a second, and what changed
 * is told as events: a new document, how far it is loaded, its address, what it wrote to its console.
 * Not here: what runs inside the page (in-page.ts), the commands of the connection (bidi.ts).
 */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { compiled } from './compiled.ts'
import { install, type Answer, type InPage, type RemoteValue, type Step } from './in-page.ts'
import { ELEMENT, WebDriverError, type WebDriver } from './web-driver.ts'

const LOOK_MS = 60
declare global {
  interface Document {
    readonly __bidi?: InPage
  }
}

export type Tell = (method: string, params: object) => void

/** What the tabs of one profile share. */
export interface TabProfile {
  readonly preloads: readonly string[]
  readonly downloadsFolder: string | undefined
}

interface Look {
  readonly id: string | undefined
  readonly url: string
  readonly ready: DocumentReadyState
  readonly lines: InPage['lines']
}

interface Loading {
  readonly id: string
  readonly settled: () => void
}

export interface Call {
  readonly declaration: string
  readonly arguments: readonly RemoteValue[]
  readonly byHandle: boolean
  readonly awaits: boolean
}

export class Tab {
  readonly window: string
  readonly userContext: string
  readonly #driver: WebDriver
  readonly #tell: Tell
  readonly #profile: TabProfile
  #document = ''
  #ready: DocumentReadyState = 'loading'
  #url = 'about:blank'
  #calls = 0
  #navigation: Loading | undefined
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> | undefined
  #closed = false

  constructor(driver: WebDriver, window: string, userContext: string, tell: Tell, profile: TabProfile) {
    this.#driver = driver
    this.window = window
    this.userContext = userContext
    this.#tell = tell
    this.#profile = profile
  }

  get driver(): WebDriver {
    return this.#driver
  }

  async begin(): Promise<void> {
    this.#tell('browsingContext.contextCreated', {
      context: this.window,
      userContext: this.userContext,
      url: this.#url,
      parent: null,
      children: null,
    })
    await this.look()
  }

  realm(sandbox: string | undefined): string {
    return `${this.#document}/${sandbox ?? ''}`
  }

  async navigate(url: string): Promise<string> {
    await this.look()
    const [before, after] = [new URL(this.#url), new URL(url)]
    const isSameDocument = after.hash !== '' && before.href.split('#')[0] === after.href.split('#')[0]
    if (isSameDocument) {
      await this.#driver.run(this.window, 'location.href = arguments[0]', [url])
      const navigation = randomUUID()
      this.#tell('browsingContext.fragmentNavigated', { context: this.window, navigation, url })
      return navigation
    }
    return await this.#load(url, () => this.#driver.inWindow(this.window, 'POST', '/url', { url }))
  }

  async reload(): Promise<void> {
    await this.#load(this.#url, () => this.#driver.inWindow(this.window, 'POST', '/refresh'))
  }

  /** @throws when the document that the call is for has gone. */
  async call(call: Call): Promise<Answer> {
    const [number, document] = [++this.#calls, this.#document]
    const begin = `
      const page = document.__bidi
      if (page?.id !== arguments[0]) return JSON.stringify({ gone: true })
      page.knows({ ${compiled(call.arguments)} })
      const declaration = (${call.declaration}
      )
      return page.begin(arguments[1], (resolve) => {
        const args = JSON.parse(arguments[2]).map(resolve)
        return declaration(...args)
      }, arguments[3], arguments[4]).then(JSON.stringify)`
    let step = await this.#step(begin, [document, number, JSON.stringify(call.arguments), call.byHandle, call.awaits])
    const poll = `
      const page = document.__bidi
      if (page?.id !== arguments[0]) return JSON.stringify({ gone: true })
      return page.poll(arguments[1]).then(JSON.stringify)`
    while (step.answer === undefined) step = await this.#step(poll, [document, number])
    return step.answer
  }

  async setFiles(sharedId: string, files: readonly string[]): Promise<void> {
    const element = (await this.#driver.run(this.window, 'return document.__bidi.element(arguments[0])', [sharedId])) as Record<
      string,
      string
    >
    await this.#driver.inWindow(this.window, 'POST', `/element/${element[ELEMENT] ?? ''}/value`, { text: files.join('\n') })
  }

  /** A viewport of that size, as far as the window can be made so small. */
  async resize(width: number, height: number): Promise<void> {
    const [extraWidth, extraHeight] = await this.#driver.run<[number, number]>(
      this.window,
      'return [outerWidth - innerWidth, outerHeight - innerHeight]',
    )
    await this.#driver.inWindow(this.window, 'POST', '/window/rect', { width: width + extraWidth, height: height + extraHeight })
  }

  async close(): Promise<void> {
    this.end()
    await this.#looking?.catch(() => {})
    await this.#driver.inWindow(this.window, 'DELETE', '/window')
    this.#tell('browsingContext.contextDestroyed', {
      context: this.window,
      userContext: this.userContext,
      url: this.#url,
      parent: null,
      children: null,
    })
  }

  end(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    this.#navigation?.settled()
  }

  /** Sees what is new, and looks again in a moment. */
  async look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined
      clearTimeout(this.#timer)
      if (!this.#closed) this.#timer = setTimeout(() => void this.look().catch(() => {}), LOOK_MS)
    })
    await this.#looking
  }

  async #look(): Promise<void> {
    const seen = await this.#driver.run<string>(
      this.window,
      `const page = document.__bidi
       return JSON.stringify({ id: page?.id, url: location.href, ready: document.readyState, lines: page?.lines.splice(0) ?? [] })`,
    )
    const look = JSON.parse(seen) as Look
    for (const { level, text, isError } of look.lines) this.#tellLine(level, text, isError)
    if (look.id === undefined) await this.#enter(look)
    else if (look.url !== this.#url) this.#tell('browsingContext.historyUpdated', { context: this.window, url: look.url })
    this.#url = look.url
    this.#tellReady(look.ready)
    await this.#tellDownloads()
  }

  async #tellDownloads(): Promise<void> {
    const { downloadsFolder: folder } = this.#profile
    if (folder === undefined) return
    for (const name of await this.#driver.takeDownloads(folder)) {
      const about = { context: this.window, navigation: null, download: randomUUID(), url: this.#url }
      this.#tell('browsingContext.downloadWillBegin', { ...about, suggestedFilename: name })
      this.#tell('browsingContext.downloadEnd', { ...about, status: 'complete', filepath: join(folder, name) })
    }
  }

  /** A document that was not there before. */
  async #enter({ url }: Look): Promise<void> {
    const [old, id] = [this.#document, randomUUID()]
    await this.#driver.run(this.window, `(${install.toString()})(arguments[0])`, [id])
    for (const script of this.#profile.preloads) await this.#driver.run(this.window, `(${script}\n)()`).catch(() => {})
    if (old !== '') {
      const navigation = this.#navigation?.id ?? this.#startNavigation(url)
      for (const sandbox of ['', '__playwright_utility_world__']) this.#tell('script.realmDestroyed', { realm: `${old}/${sandbox}` })
      this.#tell('browsingContext.navigationCommitted', { context: this.window, navigation, url })
    }
    this.#document = id
    this.#ready = 'loading'
    this.#tell('script.realmCreated', { realm: this.realm(undefined), context: this.window, origin: new URL(url).origin, type: 'window' })
  }

  #tellReady(ready: DocumentReadyState): void {
    const before = this.#ready
    this.#ready = ready
    const about = { context: this.window, navigation: this.#navigation?.id ?? null, url: this.#url }
    if (before === 'loading' && ready !== 'loading') this.#tell('browsingContext.domContentLoaded', about)
    if (before !== 'complete' && ready === 'complete') this.#tell('browsingContext.load', about)
    if (ready !== 'loading' && before === 'loading') this.#navigation?.settled()
  }

  #tellLine(level: string, text: string, isError: boolean): void {
    const source = { realm: this.realm(undefined), context: this.window }
    const about = { level, text, source, timestamp: Date.now() }
    if (isError) this.#tell('log.entryAdded', { ...about, type: 'javascript', level: 'error' })
    else this.#tell('log.entryAdded', { ...about, type: 'console', method: level, args: [{ type: 'string', value: text }] })
  }

  #startNavigation(url: string): string {
    const navigation = randomUUID()
    this.#tell('browsingContext.navigationStarted', { context: this.window, navigation, url })
    return navigation
  }

  /** Ends when the new document can be read. */
  async #load(url: string, start: () => Promise<unknown>): Promise<string> {
    const id = this.#startNavigation(url)
    const settled = new Promise<void>((resolve) => (this.#navigation = { id, settled: resolve }))
    await start()
    await settled
    this.#navigation = undefined
    return id
  }

  async #step(script: string, args: readonly unknown[]): Promise<Step> {
    const step = JSON.parse(await this.#driver.run<string>(this.window, script, args)) as Step & { gone?: true }
    if (step.gone) {
      await this.look()
      throw new WebDriverError('no such frame', 'the document has gone')
    }
    return step
  }
}
