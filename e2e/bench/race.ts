/**
 * How long a person waits where less and less gets through: from the click to being reachable on a first visit, and from opening the page to being reachable
 * on a second one, when the winner is remembered. UDP and WebSockets are swallowed, not refused. Latency is added to TCP alone, so WebTransport has one row.
 */
import { chromium, type Browser } from '@playwright/test'
import { nativeNode } from '../../scripts/newer-glibc.ts'
import { App } from '../helpers/app.ts'
import { findChromium } from '../helpers/chromium.ts'
import { createToken } from '../helpers/cli.ts'
import { startDelayProxy } from '../helpers/delay-proxy.ts'
import { freePort, startBridge, type Bridge } from '../helpers/start-bridge.ts'
import { startSwallowingProxy, swallowUdp } from '../helpers/swallowing-proxy.ts'
import { words } from '../helpers/words.ts'
import { median, type Bench, type Row } from './bench.ts'
import { measureApp } from './login.ts'
import { prepareBrowser } from './prepare-browser.ts'

const ROUNDS = 5

interface Case {
  readonly subject: string
  readonly hop: 'hop_webtransport' | 'hop_websocket' | 'hop_tunnel'
  readonly addedMs: readonly number[]
}

const CASES: readonly Case[] = [
  { subject: 'nothing is blocked', hop: 'hop_webtransport', addedMs: [0] },
  { subject: 'UDP is swallowed', hop: 'hop_websocket', addedMs: [0, 100, 300] },
  { subject: 'WebSockets too', hop: 'hop_tunnel', addedMs: [0, 100, 300] },
]

export const race: Bench = {
  title: `race: click to connected, and page opened to connected; median (and worst) of ${ROUNDS}`,
  prepare: () => {
    nativeNode()
    return prepareBrowser()
  },
  async run(note) {
    const executablePath = findChromium()
    const browser = await chromium.launch(executablePath === undefined ? {} : { executablePath })
    const rows: Row[] = []
    try {
      for (const each of CASES)
        for (const addedMs of each.addedMs)
          for (const row of await measureCase(browser, each, addedMs)) {
            rows.push(row)
            note(`${row.subject}: ${row.metric}: ${row.value.toFixed(0)} ms`)
          }
    } finally {
      await browser.close()
    }
    return rows
  },
}

async function measureCase(browser: Browser, { subject, hop }: Case, addedMs: number): Promise<Row[]> {
  const [front, inner] = [await freePort(), await freePort()]
  const origin = `http://localhost:${front}`
  const bridge = await startBridge(['--public-url', origin], {}, undefined, nativeNode())
  const proxy = await startSwallowingProxy(inner, bridge.port)
  proxy.letUpgradesPass(hop !== 'hop_tunnel')
  const delay = await startDelayProxy(inner, addedMs / 2, front)
  const letUdpPass = hop === 'hop_webtransport' ? (): void => undefined : swallowUdp(bridge.port)
  try {
    const clicks: number[] = []
    for (let round = 0; round < ROUNDS; round++) clicks.push(await measureApp(browser, bridge, origin))
    const opens = await measureReturns(browser, bridge, hop)
    return [
      ['click to connected', clicks],
      ['page opened to connected', opens],
    ].flatMap(([metric, values]) => [
      { bench: 'race', subject, metric: `${String(metric)}, +${addedMs} ms`, unit: 'ms', value: median(values as number[]) },
      { bench: 'race', subject, metric: `${String(metric)}, +${addedMs} ms, worst`, unit: 'ms', value: Math.max(...(values as number[])) },
    ])
  } finally {
    letUdpPass()
    await delay.stop()
    await proxy.stop()
    await bridge.remove()
  }
}

/** One person who reloads. @returns from the beginning of each navigation to the sign of the first hop, by the page's clock */
async function measureReturns(browser: Browser, bridge: Bridge, hop: Case['hop']): Promise<number[]> {
  const { link } = await createToken(bridge, 'alice')
  const context = await browser.newContext({ locale: 'en-GB' })
  try {
    const page = await context.newPage()
    const app = new App(page)
    await app.arrive(link, 'alice')
    await app.hop(hop).waitFor()
    await page.addInitScript((word) => {
      const look = (): void => {
        if (document.querySelector(`a[href="/network"][aria-label*="${word}"]`) === null) return
        Object.assign(globalThis, { onlineAt: performance.now() })
        observer.disconnect()
      }
      const observer = new MutationObserver(look)
      observer.observe(document, { subtree: true, childList: true, attributes: true })
    }, words(hop))
    const times: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      await page.reload()
      const handle = await page.waitForFunction(() => Reflect.get(globalThis, 'onlineAt') as number | undefined)
      times.push((await handle.jsonValue()) ?? Number.NaN)
    }
    return times
  } finally {
    await context.close()
  }
}
