/**
 * The ways from a browser to its bridge beside each other: dial, round trip, and bytes both ways through the relay to a second page, which is always on a
 * WebSocket. Once with no latency and once with 100 ms added to the round trip. WebTransport gets its line in HOPS when the bridge listens for it.
 */
import { chromium, type Browser, type Page } from '@playwright/test'
import { findChromium } from '../helpers/chromium.ts'
import { createToken } from '../helpers/cli.ts'
import { startDelayProxy } from '../helpers/delay-proxy.ts'
import { freePort, startBridge, type Bridge } from '../helpers/start-bridge.ts'
import { openFirstHop } from './bare.ts'
import { median, type Bench, type Row } from './bench.ts'
import type { Hop } from './first-hop-page.ts'
import { prepareBrowser } from './prepare-browser.ts'

const HOPS: readonly (readonly [Hop, string])[] = [
  ['websocket', 'websocket'],
  ['tunnel', 'tunnel, streamed'],
  ['polled', 'tunnel, long polling'],
]
const ROUNDS = 3
const PINGS = 15
const ADDED_MS = [0, 100]
const MEGABYTES = 4

export const firstHops: Bench = {
  title: `first hop: dial and round trip (medians), ${MEGABYTES} MB through the relay each way (median of ${ROUNDS})`,
  prepare: prepareBrowser,
  async run(note) {
    const executablePath = findChromium()
    const browser = await chromium.launch(executablePath === undefined ? {} : { executablePath })
    const rows: Row[] = []
    try {
      for (const addedMs of ADDED_MS) {
        const port = await freePort()
        const bridge = await startBridge(['--public-url', `http://localhost:${port}`])
        const proxy = await startDelayProxy(bridge.port, addedMs / 2, port)
        try {
          const [other, page] = [
            await openPage(browser, bridge, bridge.origin),
            await openPage(browser, bridge, `http://localhost:${port}`),
          ]
          await other.page.evaluate(async () => {
            await firstHop.dial('websocket')
            await firstHop.serve()
          })
          for (const [hop, subject] of HOPS) {
            const measured = await measure(page.page, hop, other.peer)
            const add = (metric: string, unit: string, value: number): void => {
              rows.push({ bench: 'first-hop', subject, metric: `${metric}, +${addedMs} ms`, unit, value })
              note(`${subject}: ${metric}, +${addedMs} ms: ${value.toFixed(1)} ${unit}`)
            }
            add('dial', 'ms', measured.dialMs)
            add('round trip', 'ms', measured.pingMs)
            add('up', 'MB/s', measured.up)
            add('down', 'MB/s', measured.down)
          }
        } finally {
          await proxy.stop()
          await bridge.remove()
        }
      }
    } finally {
      await browser.close()
    }
    return rows
  },
}

/** A person on a page of their own, logged in. */
async function openPage(browser: Browser, bridge: Bridge, origin: string): Promise<{ page: Page; peer: string }> {
  const { text } = await createToken(bridge, 'alice')
  const page = await (await browser.newContext()).newPage()
  await openFirstHop(page, origin)
  const peer = await page.evaluate(([from, token]) => firstHop.login(from, token), [origin, text] as const)
  return { page, peer }
}

async function measure(page: Page, hop: Hop, peer: string): Promise<Record<'dialMs' | 'pingMs' | 'up' | 'down', number>> {
  const dials: number[] = []
  for (let round = 0; round < ROUNDS; round++) dials.push(await page.evaluate((name) => firstHop.dial(name), hop))
  const pings: number[] = []
  for (let round = 0; round < PINGS; round++) pings.push(await page.evaluate(() => firstHop.ping()))
  const rate = async (direction: 'up' | 'down'): Promise<number> => {
    const rates: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const ms = await page.evaluate(([way, to, bytes]) => firstHop.carry(way, to, bytes), [direction, peer, MEGABYTES * 1e6] as const)
      rates.push((MEGABYTES * 1_000) / ms)
    }
    return median(rates)
  }
  return { dialMs: median(dials), pingMs: median(pings), up: await rate('up'), down: await rate('down') }
}
