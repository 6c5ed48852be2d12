#!/usr/bin/env node
/**
 * A stock Firefox for Playwright, which speaks WebDriver BiDi to it. Playwright starts this program in place of the browser and connects to it; everything
 * goes through as it is but for two things that Firefox ESR 153 has not: a command, answered here, and names for downloads, given here.
 */
import { spawn } from 'node:child_process'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { WebSocket, WebSocketServer } from 'ws'

/** A colour scheme for the page. Whoever wants another one starts Firefox with the setting `ui.systemUsesDarkTheme`. */
const UNKNOWN = 'emulation.setMediaFeaturesOverride'

const firefox = spawn(process.env['FIREFOX_PATH'] ?? 'firefox-esr', process.argv.slice(2), { stdio: ['ignore', 'pipe', 'pipe'] })
for (const stream of [firefox.stdout, firefox.stderr])
  createInterface({ input: stream }).on('line', (line) => {
    const address = /WebDriver BiDi listening on (ws:\/\/\S+)/.exec(line)?.[1]
    if (address === undefined) process.stderr.write(`${line}\n`)
    else serve(`${address}/session`)
  })
firefox.once('exit', (code) => process.exit(code ?? 0))
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, () => firefox.kill(signal))

function serve(address: string): void {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
  server.on('listening', () =>
    process.stderr.write(`WebDriver BiDi listening on ws://127.0.0.1:${(server.address() as AddressInfo).port}\n`),
  )
  server.on('connection', (playwright) => {
    const browser = new WebSocket(address, { perMessageDeflate: false })
    const opened = new Promise<void>((resolve) => browser.once('open', resolve))
    playwright.on('message', (data: Buffer) => {
      const text = data.toString()
      const { id, method } = JSON.parse(text) as { id: number; method: string }
      if (method === UNKNOWN) playwright.send(JSON.stringify({ type: 'success', id, result: {} }))
      else void opened.then(() => browser.send(text))
    })
    browser.on('message', (data: Buffer) => playwright.send(named(data.toString())))
    playwright.on('close', () => browser.close())
    browser.on('close', () => playwright.close())
    browser.on('error', () => playwright.close())
  })
}

/** Playwright tells downloads apart by a name of their own; where the event has none, the address of what is downloaded serves. */
function named(text: string): string {
  if (!text.includes('"browsingContext.download')) return text
  const event = JSON.parse(text) as { method?: string; params: { url: string; download?: string } }
  if (event.method?.startsWith('browsingContext.download') !== true) return text
  return JSON.stringify({ ...event, params: { download: event.params.url, ...event.params } })
}
