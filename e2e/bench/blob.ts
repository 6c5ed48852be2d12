/**
 * 50 MB from one browser to another by CID, every block verified and kept in IndexedDB, beside the raw path: the same number of bytes on a libp2p
 * stream of a WebRTC connection between two bare js-libp2p nodes in the same browser, counted on arrival and dropped.
 */
import { chromium, type Browser, type Page } from '@playwright/test'
import { App } from '../helpers/app.ts'
import { findChromium } from '../helpers/chromium.ts'
import { createToken } from '../helpers/cli.ts'
import { randomFile } from '../helpers/random-file.ts'
import { startBridge, type Bridge } from '../helpers/start-bridge.ts'
import { words } from '../helpers/words.ts'
import { openBare } from './bare.ts'
import { median, type Bench } from './bench.ts'
import { prepareBrowser } from './prepare-browser.ts'

const BYTES = 50_000_000
const ROUNDS = 3

export const blob: Bench = {
  title: `blob: 50 MB browser to browser over WebRTC, verified and stored, beside the raw stream; median of ${ROUNDS}`,
  prepare: prepareBrowser,
  async run(note) {
    const executablePath = findChromium()
    const browser = await chromium.launch(executablePath === undefined ? {} : { executablePath })
    const bridge = await startBridge()
    try {
      const raw = await measureRaw(browser, bridge, note)
      const verified = await measureBlob(browser, bridge, note)
      const row = { bench: 'blob', metric: '50 MB, browser to browser', unit: 'MB/s' }
      return [
        { ...row, subject: 'footbridge', value: verified },
        { ...row, subject: 'raw WebRTC stream', value: raw },
        { bench: 'blob', subject: 'footbridge / raw', metric: 'ratio', unit: 'x', value: verified / raw },
      ]
    } finally {
      await browser.close()
      await bridge.remove()
    }
  },
}

/** Bytes per second of the middle round, in MB. */
async function measureBlob(browser: Browser, bridge: Bridge, note: (line: string) => void): Promise<number> {
  const pages: Page[] = []
  for (const name of ['alice', 'bob']) {
    const page = await (await browser.newContext()).newPage()
    await new App(page).arrive((await createToken(bridge, name)).link, name)
    pages.push(page)
  }
  const [alice, bob] = pages.map((page) => new App(page)) as [App, App]
  await alice.open('bob')
  await alice.say('hello')
  await bob.open('alice')
  await bob.path('alice', 'path_direct').waitFor({ timeout: 30_000 })
  await alice.path('bob', 'path_direct').waitFor({ timeout: 30_000 })
  const rates: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const file = await randomFile(BYTES)
    try {
      await alice.sendFile(file.path)
      await bob.file(file.name).waitFor({ timeout: 60_000 })
      const labels = { get: words('file_get_label', { name: file.name }), save: words('file_save_label', { name: file.name }) }
      const ms = await bob.page.evaluate(async ({ get, save }) => {
        const startedAt = performance.now()
        document.querySelector<HTMLButtonElement>(`button[aria-label="${get}"]`)?.click()
        await new Promise<void>((resolve) => {
          const look = (): void => {
            if (document.querySelector(`button[aria-label="${save}"]`) !== null) resolve()
          }
          new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true })
        })
        return performance.now() - startedAt
      }, labels)
      rates.push(BYTES / 1e3 / ms)
      note(`footbridge, round ${round + 1}: ${rates.at(-1)?.toFixed(1)} MB/s`)
    } finally {
      await file.remove()
    }
  }
  for (const page of pages) await page.context().close()
  return median(rates)
}

async function measureRaw(browser: Browser, bridge: Bridge, note: (line: string) => void): Promise<number> {
  const peers: { page: Page; id: string }[] = []
  for (const name of ['raw alice', 'raw bob']) {
    const page = await (await browser.newContext()).newPage()
    await openBare(page, bridge.origin)
    const id = await page.evaluate((token) => bare.login(token), (await createToken(bridge, name)).text)
    await page.evaluate(() => bare.dialAndReserve())
    peers.push({ page, id })
  }
  const [alice, bob] = peers as [(typeof peers)[0], (typeof peers)[0]]
  const address = await alice.page.evaluate((peer) => bare.connectDirect(peer), bob.id)
  if (!address.includes('/webrtc')) throw new Error(`not direct: ${address}`)
  const rates: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const arriving = bob.page.evaluate((bytes) => bare.receive(bytes), BYTES)
    await alice.page.evaluate((bytes) => bare.sendRaw(bytes), BYTES)
    rates.push(BYTES / 1e3 / (await arriving))
    note(`raw, round ${round + 1}: ${rates.at(-1)?.toFixed(1)} MB/s`)
  }
  for (const { page } of peers) await page.context().close()
  return median(rates)
}
