/**
 * From the click to being reachable, beside what it cannot go below: a bare js-libp2p node that has its session already, dials the same bridge from
 * the same browser and reserves. Once with no latency and once with 100 ms added to the round trip; the difference counts the round trips.
 */
import { chromium, type Browser } from '@playwright/test'
import { App } from '../helpers/app.ts'
import { findChromium } from '../helpers/chromium.ts'
import { createToken } from '../helpers/cli.ts'
import { startDelayProxy } from '../helpers/delay-proxy.ts'
import { freePort, startBridge, type Bridge } from '../helpers/start-bridge.ts'
import { words } from '../helpers/words.ts'
import { openBare } from './bare.ts'
import { median, type Bench, type Row } from './bench.ts'
import { prepareBrowser } from './prepare-browser.ts'

const ROUNDS = 5
const ADDED_MS = 100

export const login: Bench = {
  title: `login: click to connected, beside a bare js-libp2p dial plus reservation; median of ${ROUNDS}`,
  prepare: prepareBrowser,
  async run(note) {
    const executablePath = findChromium()
    const browser = await chromium.launch(executablePath === undefined ? {} : { executablePath })
    const times = new Map<string, number>()
    const rows: Row[] = []
    try {
      for (const addedMs of [0, ADDED_MS]) {
        const port = await freePort()
        const bridge = await startBridge(['--public-url', `http://localhost:${port}`])
        const proxy = await startDelayProxy(bridge.port, addedMs / 2, port)
        const origin = `http://localhost:${port}`
        try {
          for (const [subject, measure] of [
            ['footbridge', measureApp],
            ['bare js-libp2p', measureBare],
          ] as const) {
            const values: number[] = []
            for (let round = 0; round < ROUNDS; round++) {
              values.push(await measure(browser, bridge, origin))
              note(`${subject}, +${addedMs} ms, round ${round + 1}: ${values.at(-1)?.toFixed(0)} ms`)
            }
            times.set(`${subject} ${addedMs}`, median(values))
            rows.push({ bench: 'login', subject, metric: `click to connected, +${addedMs} ms`, unit: 'ms', value: median(values) })
          }
        } finally {
          await proxy.stop()
          await bridge.remove()
        }
      }
    } finally {
      await browser.close()
    }
    const time = (subject: string, addedMs: number): number => times.get(`${subject} ${addedMs}`) ?? Number.NaN
    for (const subject of ['footbridge', 'bare js-libp2p'])
      rows.push({
        bench: 'login',
        subject,
        metric: 'round trips',
        unit: 'RTT',
        value: (time(subject, ADDED_MS) - time(subject, 0)) / ADDED_MS,
      })
    for (const addedMs of [0, ADDED_MS])
      rows.push({
        bench: 'login',
        subject: 'footbridge / bare js-libp2p',
        metric: `ratio, +${addedMs} ms`,
        unit: 'x',
        value: time('footbridge', addedMs) / time('bare js-libp2p', addedMs),
      })
    return rows
  },
}

/** The page is loaded and quiet; then a token is pasted. Ends when the third step, the reservation, is done. */
export async function measureApp(browser: Browser, bridge: Bridge, origin: string): Promise<number> {
  const { text } = await createToken(bridge, 'alice')
  const context = await browser.newContext({ serviceWorkers: 'block' })
  try {
    const page = await context.newPage()
    await page.goto(origin, { waitUntil: 'networkidle' })
    const app = new App(page)
    await app.tokenField.fill(text)
    // The clock is the page's own: from the click to the reservation's sign, with no test runner in between.
    return await page.evaluate(
      async ({ enter, steps, done }) => {
        const button = [...document.querySelectorAll('button')].find((each) => each.textContent.trim() === enter)
        if (button === undefined) throw new Error('no button')
        const startedAt = performance.now()
        button.click()
        return await new Promise<number>((resolve, reject) => {
          const look = (): void => {
            if (document.querySelector('[role="alert"]') !== null) reject(new Error('refused'))
            const items = [...document.querySelectorAll(`ol[aria-label="${steps}"] li`)]
            if (items.length === done && items.every((item) => item.classList.contains('done'))) resolve(performance.now() - startedAt)
          }
          new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true })
        })
      },
      { enter: words('arrive_enter'), steps: words('steps_label'), done: 3 },
    )
  } finally {
    await context.close()
  }
}

/** Enrolled beforehand: only the dial and the reservation count. */
async function measureBare(browser: Browser, bridge: Bridge, origin: string): Promise<number> {
  const { text } = await createToken(bridge, 'bob')
  const context = await browser.newContext()
  try {
    const page = await context.newPage()
    await openBare(page, origin)
    await page.evaluate((token) => bare.login(token), text)
    return await page.evaluate(() => bare.dialAndReserve())
  } finally {
    await context.close()
  }
}
