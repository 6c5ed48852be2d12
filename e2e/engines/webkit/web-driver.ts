/**
 * One WebKitGTK browser with a profile of its own, by W3C WebDriver over HTTP: a display, a message bus, `WebKitWebDriver` and its session.
 * Not here: what Playwright asks of it (browser.ts).
 * https://www.w3.org/TR/webdriver2/
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readlink, rename, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pinnedEnv } from '../../../scripts/steps.ts'
import { findMiniBrowser } from './mini-browser.ts'

/** How WebDriver names an element in JSON. */
export const ELEMENT = 'element-6066-11e4-a52e-4f735466cecf'

const START_MS = 20_000
const DOWNLOADS = 'Downloads'
/** What WebKitGTK calls a file while it writes. */
const PARTIAL = '.wkdownload'
const BUS = join(import.meta.dirname, 'session-bus.conf')
export interface Cookie {
  readonly name: string
  readonly value: string
  readonly [field: string]: unknown
}

export class WebDriverError extends Error {
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.name = 'WebDriverError'
    this.code = code
  }
}

export interface WebDriverOptions {
  readonly display: string
  readonly acceptInsecureCerts: boolean
}

export class WebDriver {
  readonly #home: string
  readonly #process: ChildProcess
  readonly #base: string
  #queue: Promise<unknown> = Promise.resolve()
  #window: string | undefined

  private constructor(process: ChildProcess, base: string, home: string) {
    this.#process = process
    this.#base = base
    this.#home = home
  }

  static async start({ display, acceptInsecureCerts }: WebDriverOptions): Promise<WebDriver> {
    const [home, port] = [await mkdtemp(join(tmpdir(), 'footbridge-webkit-')), await freePort()]
    await mkdir(join(home, DOWNLOADS))
    await mkdir(join(home, '.config'))
    await writeFile(join(home, '.config/user-dirs.dirs'), `XDG_DOWNLOAD_DIR="$HOME/${DOWNLOADS}"\n`)
    const child = spawn('dbus-run-session', [`--config-file=${BUS}`, '--', 'WebKitWebDriver', `--port=${port}`], {
      env: pinnedEnv({
        DISPLAY: display,
        HOME: home,
        LANG: 'en_GB.UTF-8',
        LANGUAGE: 'en_GB',
        NO_AT_BRIDGE: '1',
        GTK_A11Y: 'none',
        GTK_USE_PORTAL: '0',
      }),
      stdio: 'ignore',
      detached: true,
    })
    const origin = `http://127.0.0.1:${port}`
    const failed = new Promise<never>((_resolve, reject) => child.once('error', reject))
    await Promise.race([answers(`${origin}/status`), failed])
    const options = { binary: findMiniBrowser(), args: ['--automation'] }
    const { sessionId } = (await send('POST', `${origin}/session`, {
      capabilities: { alwaysMatch: { pageLoadStrategy: 'none', acceptInsecureCerts, 'webkitgtk:browserOptions': options } },
    })) as { sessionId: string }
    return new WebDriver(child, `${origin}/session/${sessionId}`, home)
  }

  /** A command in one of the windows. Commands wait for each other: which window is meant is the session's state. */
  async inWindow(window: string, method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<unknown> {
    return await this.#next(async () => {
      if (this.#window !== window) {
        await send('POST', `${this.#base}/window`, { handle: window })
        this.#window = window
      }
      if (method === 'DELETE') this.#window = undefined
      return await send(method, this.#base + path, body)
    })
  }

  async run<Result>(window: string, script: string, args: readonly unknown[] = []): Promise<Result> {
    return (await this.inWindow(window, 'POST', '/execute/sync', { script, args })) as Result
  }

  async newWindow(): Promise<string> {
    return await this.#next(async () => {
      // From the first window, which stays open: with the last one the browser and its profile would end.
      const [first] = (await send('GET', `${this.#base}/window/handles`)) as string[]
      if (this.#window === undefined) await send('POST', `${this.#base}/window`, { handle: first })
      this.#window = first
      return ((await send('POST', `${this.#base}/window/new`, { type: 'window' })) as { handle: string }).handle
    })
  }

  /** Takes what has been downloaded since the last time. @returns names in `folder`. */
  async takeDownloads(folder: string): Promise<string[]> {
    const downloads = join(this.#home, DOWNLOADS)
    const whole: string[] = []
    for (const name of await readdir(downloads)) {
      if (name.endsWith(PARTIAL) || (await isOpen(join(downloads, name)))) continue
      await rename(join(downloads, name), join(folder, name))
      whole.push(name)
    }
    return whole
  }

  async stop(): Promise<void> {
    await this.#next(() => send('DELETE', this.#base)).catch(() => {})
    try {
      process.kill(-(this.#process.pid ?? 0), 'SIGKILL')
    } catch {
      // It ended by itself.
    }
    // What it wrote last may still be on its way.
    await rm(this.#home, { recursive: true, force: true, maxRetries: 10 })
  }

  #next<Result>(step: () => Promise<Result>): Promise<Result> {
    const result = this.#queue.then(step)
    this.#queue = result.catch(() => {})
    return result
  }
}

/** @throws WebDriverError with the driver's own code. */
async function send(method: string, url: string, body?: object): Promise<unknown> {
  const response = await fetch(url, { method, ...(method === 'POST' && { body: JSON.stringify(body ?? {}) }) })
  const { value } = (await response.json()) as { value: unknown }
  if (response.ok) return value
  const { error, message } = value as { error: string; message: string }
  throw new WebDriverError(error, message || error)
}

async function answers(url: string): Promise<void> {
  const deadline = performance.now() + START_MS
  for (;;) {
    try {
      await fetch(url)
      return
    } catch (error) {
      if (performance.now() > deadline) throw new Error(`WebKitWebDriver did not answer in ${START_MS} ms`, { cause: error })
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Whether any process still has this file open: a blob bears its whole name from the first byte on. */
async function isOpen(path: string): Promise<boolean> {
  for (const process of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const folder = `/proc/${process}/fd`
    for (const file of await readdir(folder).catch(() => []))
      if ((await readlink(join(folder, file)).catch(() => undefined)) === path) return true
  }
  return false
}
