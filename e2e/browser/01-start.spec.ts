/**
 * Point 1: starting a bridge. What it prints, what it keeps, and how it says no.
 */
import { expect, test } from '@playwright/test'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Child, type Exit } from '../helpers/child.ts'
import { footbridge, tokenCommand } from '../helpers/cli.ts'
import { FOOTBRIDGE, freePort, LOGIN_LINK, startBridge, type Bridge } from '../helpers/start-bridge.ts'

let dataDir: string

test.beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'footbridge-start-'))
})
test.afterEach(() => rm(dataDir, { recursive: true, force: true }))

/** A start that must fail: one clear line, exit code 1. */
async function refused(flags: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
  const { code, output }: Exit = await footbridge(flags, env)
  const lines = output.split('\n').filter((line) => line.trim() !== '')
  expect({ code, lines: lines.length }, output).toEqual({ code: 1, lines: 1 })
  return lines[0] ?? ''
}

test('prints a login link with a first token and its QR code, and serves the app there', async () => {
  const bridge = await startBridge()
  try {
    expect(bridge.loginLink).toContain(`${bridge.origin}/#token=fb1_`)
    expect(bridge.output).toMatch(/[▀▄█]{10}/)
    const page = await fetch(bridge.origin)
    expect(page.status).toBe(200)
    expect(await page.text()).toContain('<title>Footbridge')
  } finally {
    await bridge.remove()
  }
})

test('listens on localhost:8080 and keeps its state in ./data when nothing is said', async () => {
  const { output } = await footbridge(['start', '--help'])
  expect(output).toMatch(/--port[\s\S]*8080/)
  expect(output).toMatch(/--data-dir[\s\S]*\.\/data/)
})

test('keeps identity and tokens over a second start, the identity readable by its owner alone', async () => {
  const bridge: Bridge = await startBridge()
  try {
    const before = { address: await bridge.address(), tokens: await tokenCommand(bridge, 'list', '--json') }
    await bridge.restart()
    expect({ address: await bridge.address(), tokens: await tokenCommand(bridge, 'list', '--json') }).toEqual(before)
    expect(bridge.loginLink).toBeUndefined()

    const { mode } = await stat(join(bridge.dataDir, 'identity.key'))
    expect(mode & 0o777).toBe(0o600)
  } finally {
    await bridge.remove()
  }
})

test('says which port is taken and how to choose another', async () => {
  const port = await freePort()
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve))
  try {
    const line = await refused(['--port', String(port), '--p2p-port', String(await freePort()), '--data-dir', dataDir])
    expect(line).toContain(String(port))
    expect(line).toContain('--port')
  } finally {
    other.close()
  }
})

test('says that a data folder cannot be written and how to choose another', async () => {
  // Below a file no folder can be made, whoever asks; a mode would not stop root.
  const line = await refused(['--port', '0', '--data-dir', '/dev/null/data'])
  expect(line).toContain('/dev/null/data')
  expect(line).toContain('--data-dir')
})

test('names an unknown flag, a bad value and an unknown setting', async () => {
  expect(await refused(['--colour', 'blue'])).toContain('--colour')
  expect(await refused(['--port', 'eighty'])).toContain('--port "eighty"')
  expect(await refused([], { FOOTBRIDGE_PROT: '8080' })).toContain('FOOTBRIDGE_PROT')
})

test('warns that browsers need HTTPS when it listens beyond this machine without TLS, and says how to mend it', async () => {
  const ports = ['--port', String(await freePort()), '--p2p-port', String(await freePort())]
  const child = new Child([...FOOTBRIDGE, '--host', '0.0.0.0', ...ports, '--data-dir', dataDir])
  try {
    await child.line((line) => LOGIN_LINK.exec(line)?.[0])
    await child.line((line) => (/HTTPS|secure/i.test(line) ? line : undefined))
    await child.line((line) => (line.includes('--tls-cert') ? line : undefined))
  } finally {
    await child.stop()
  }
})

test('stops on SIGTERM with exit code 0', async () => {
  const bridge = await startBridge()
  expect(await bridge.stop()).toMatchObject({ code: 0 })
  await bridge.remove()
})
