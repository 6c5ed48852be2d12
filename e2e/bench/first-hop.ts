/**
 * The ways from a browser to its bridge beside each other: dial, round trip, and bytes both ways through the relay to a second page, which is always on a
 * WebSocket; and what a megabyte costs the bridge. Once with no latency and once with 100 ms added to the round trip. `--only=webtransport` leaves the others out.
 * A bridge that cannot do WebTransport says so, and its rows are missing.
 */
import { chromium, type Browser, type Page } from '@playwright/test'
import { startUdpLine } from '../../packages/listeners/src/webtransport/test-udp-line.ts'
import { nativeNode } from '../../scripts/newer-glibc.ts'
import { findChromium } from '../helpers/chromium.ts'
import { createToken } from '../helpers/cli.ts'
import { startDelayProxy } from '../helpers/delay-proxy.ts'
import { freePort, startBridge, type Bridge } from '../helpers/start-bridge.ts'
import { openFirstHop } from './bare.ts'
import { median, type Bench, type Row } from './bench.ts'
import type { Hop } from './first-hop-page.ts'
import { prepareBrowser } from './prepare-browser.ts'
import { cpuSeconds } from './relay/process-meter.ts'

const HOPS: readonly (readonly [Hop, string])[] = [
  ['webtransport', 'webtransport'],
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
  prepare: () => {
    nativeNode()
    return prepareBrowser()
  },
  async run(note, flags) {
    const only = flags.find((flag) => flag.startsWith('--only='))?.slice('--only='.length)
    const executablePath = findChromium()
    const browser = await chromium.launch({
      ...(executablePath === undefined ? {} : { executablePath }),
      // Playwright switches QUIC off for steadiness' sake.
      ignoreDefaultArgs: ['--disable-quic'],
    })
    const rows: Row[] = []
    try {
      for (const addedMs of ADDED_MS)
        for (const row of await measureAll(browser, addedMs, only)) {
          rows.push(row)
          note(`${row.subject}: ${row.metric}: ${row.value.toFixed(1)} ${row.unit}`)
        }
    } finally {
      await browser.close()
    }
    return rows
  },
}

async function measureAll(browser: Browser, addedMs: number, only: string | undefined): Promise<Row[]> {
  const port = await freePort()
  const bridge = await startBridge(['--public-url', `http://localhost:${port}`], {}, undefined, nativeNode())
  const proxy = await startDelayProxy(bridge.port, addedMs / 2, port)
  const line = await startUdpLine({ targetPort: bridge.port, oneWayMs: addedMs / 2 })
  const rows: Row[] = []
  try {
    const [other, person] = [await openPage(browser, bridge, bridge.origin), await openPage(browser, bridge, `http://localhost:${port}`)]
    await other.page.evaluate(async () => {
      await firstHop.dial('websocket')
      await firstHop.serve()
    })
    for (const [hop, subject] of HOPS) {
      if ((only !== undefined && only !== hop) || (hop === 'webtransport' && !person.hasUdp)) continue
      const measured = await measure(person.page, hop, other.peer, bridge.pid, addedMs > 0 ? line.port : undefined)
      for (const [metric, unit, value] of [
        ['dial', 'ms', measured.dialMs],
        ['round trip', 'ms', measured.pingMs],
        ['up', 'MB/s', measured.up.rate],
        ['down', 'MB/s', measured.down.rate],
        ['up, processor of the bridge', 'ms/MB', measured.up.cost],
        ['down, processor of the bridge', 'ms/MB', measured.down.cost],
      ] as const)
        rows.push({ bench: 'first-hop', subject, metric: `${metric}, +${addedMs} ms`, unit, value })
    }
  } finally {
    await line.stop()
    await proxy.stop()
    await bridge.remove()
  }
  return rows
}

/** A person on a page of their own, logged in. */
async function openPage(browser: Browser, bridge: Bridge, origin: string): Promise<{ page: Page; peer: string; hasUdp: boolean }> {
  const { text } = await createToken(bridge, 'alice')
  const page = await (await browser.newContext()).newPage()
  await openFirstHop(page, origin)
  const peer = await page.evaluate(([from, token]) => firstHop.login(from, token), [origin, text] as const)
  return { page, peer, hasUdp: await page.evaluate(() => firstHop.udpPort() !== undefined) }
}

interface Way {
  /** MB/s */
  readonly rate: number
  /** Milliseconds of the bridge's processor time for a MB, the other page's WebSocket included. */
  readonly cost: number
}

async function measure(
  page: Page,
  hop: Hop,
  peer: string,
  bridgePid: number,
  udpPort: number | undefined,
): Promise<{ dialMs: number; pingMs: number; up: Way; down: Way }> {
  const dials: number[] = []
  for (let round = 0; round < ROUNDS; round++)
    dials.push(await page.evaluate(([name, at]) => firstHop.dial(name, at), [hop, hop === 'webtransport' ? udpPort : undefined] as const))
  const pings: number[] = []
  for (let round = 0; round < PINGS; round++) pings.push(await page.evaluate(() => firstHop.ping()))
  const way = async (direction: 'up' | 'down'): Promise<Way> => {
    const rates: number[] = []
    const cpuBefore = cpuSeconds(bridgePid)
    for (let round = 0; round < ROUNDS; round++) {
      const ms = await page.evaluate(([to, target, bytes]) => firstHop.carry(to, target, bytes), [
        direction,
        peer,
        MEGABYTES * 1e6,
      ] as const)
      rates.push((MEGABYTES * 1_000) / ms)
    }
    return { rate: median(rates), cost: ((cpuSeconds(bridgePid) - cpuBefore) * 1_000) / (ROUNDS * MEGABYTES) }
  }
  return { dialMs: median(dials), pingMs: median(pings), up: await way('up'), down: await way('down') }
}
