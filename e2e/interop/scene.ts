/**
 * What the cells play on: a bridge in a process of its own, a browser with a virtual peer on it, and foreign peers that a cell starts and the scene ends.
 * Everything is in one network namespace with one address that is not loopback, because mDNS and Chromium's WebRTC need one.
 */
import { join } from 'node:path'
import { chromium, type Browser, type Page } from '@playwright/test'
import { build, type Rolldown } from 'vite'
import { nativeNode } from '../../scripts/newer-glibc.ts'
import { root } from '../../scripts/steps.ts'
import { findChromium } from '../helpers/chromium.ts'
import { createToken } from '../helpers/cli.ts'
import { startBridge, type Bridge } from '../helpers/start-bridge.ts'
import type { Program } from './builds.ts'
import { ForeignPeer, type PeerSettings } from './foreign-peer.ts'
import type { Interop } from './page.ts'
import { sessionRequest, SESSIONS_PATH } from './session.ts'

declare global {
  /** Set by page.ts, there and nowhere else. */
  var interop: Interop
}

/** Of helpers/namespace.ts. */
export const HERE = '10.9.0.1'
export const KAD_PREFIX = '/calimero'
/** The only one that rust-libp2p knows. */
export const MDNS_TAG = '_p2p._udp.local'
export const RENDEZVOUS_NAMESPACE = 'footbridge-interop'

export const BRIDGE_FLAGS: readonly string[] = [
  '--host 0.0.0.0 --dial-private 10.9.0.0/24,127.0.0.0/8',
  `--mdns-tags ${MDNS_TAG} --kad-protocols ${KAD_PREFIX}/kad/1.0.0 --rendezvous-namespace ${RENDEZVOUS_NAMESPACE}`,
].flatMap((line) => line.split(' '))

export type Transport = 'tcp' | 'quic' | 'websocket' | 'webtransport' | 'webrtc-direct'

/** What an address of a transport looks like, whoever listens there. */
export const LOOKS: Readonly<Record<Transport, RegExp>> = {
  tcp: /\/tcp\/\d+\/p2p\//,
  quic: /\/quic-v1\/p2p\//,
  websocket: /\/tcp\/\d+\/ws\/p2p\//,
  webtransport: /\/quic-v1\/webtransport\//,
  'webrtc-direct': /\/webrtc-direct\//,
}

const LISTEN: Readonly<Record<Transport, string>> = {
  tcp: `/ip4/${HERE}/tcp/0`,
  quic: `/ip4/${HERE}/udp/0/quic-v1`,
  websocket: `/ip4/${HERE}/tcp/0/ws`,
  webtransport: `/ip4/${HERE}/udp/0/quic-v1/webtransport`,
  'webrtc-direct': `/ip4/${HERE}/udp/0/webrtc-direct`,
}

export interface Scene {
  readonly bridge: Bridge
  readonly bridgePeer: string
  /** The virtual peer in the browser. */
  readonly virtual: string
  readonly page: Page
  /** A page of its own, with a virtual peer of its own. Ends with the cell. */
  newVirtual(): Promise<{ page: Page; peer: string }>
  /** The bridge's address for this transport, with its peer. */
  bridgeAddress(transport: Transport): Promise<string>
  /** A fresh foreign peer that listens on these transports. */
  peer(listen?: readonly Transport[], settings?: Omit<PeerSettings, 'listen'>): Promise<ForeignPeer>
  /** Another bridge. */
  otherBridge(flags: readonly string[]): Promise<Bridge>
  /** Logs a foreign peer in: it signs, we carry. */
  logIn(peer: ForeignPeer): Promise<void>
  /** Ends what the cell started. */
  clear(): Promise<void>
}

export interface Stage {
  readonly scene: (program: Program) => Scene
  readonly end: () => Promise<void>
}

export async function openStage(): Promise<Stage> {
  const cleanups: (() => Promise<unknown>)[] = []
  const end = async (): Promise<void> => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup().catch(() => {})
  }
  try {
    const bridge = await startBridge(BRIDGE_FLAGS, {}, undefined, nativeNode())
    cleanups.push(() => bridge.remove())
    const executablePath = findChromium()
    const browser = await chromium.launch(executablePath === undefined ? {} : { executablePath })
    cleanups.push(() => browser.close())
    const code = await bundle()
    const { page, peer: virtual, bridge: bridgePeer } = await arrive(browser, bridge, code)
    return { end, scene: (program) => createScene({ bridge, browser, code, page, virtual, bridgePeer, program }) }
  } catch (error) {
    await end()
    throw error
  }
}

interface Parts {
  readonly bridge: Bridge
  readonly browser: Browser
  readonly code: string
  readonly page: Page
  readonly virtual: string
  readonly bridgePeer: string
  readonly program: Program
}

function createScene({ bridge, browser, code, page, virtual, bridgePeer, program }: Parts): Scene {
  const started: (() => Promise<unknown>)[] = []
  return {
    bridge,
    bridgePeer,
    virtual,
    page,
    async newVirtual() {
      const arrived = await arrive(browser, bridge, code)
      started.push(() => arrived.page.context().close())
      return arrived
    },
    bridgeAddress: async (transport) => addressOf(bridge, bridgePeer, transport),
    async peer(listen = [], settings = {}) {
      const peer = await ForeignPeer.start(program.command, { ...settings, listen: listen.map((transport) => LISTEN[transport]) })
      started.push(() => peer.stop())
      return peer
    },
    async otherBridge(flags) {
      const other = await startBridge([...BRIDGE_FLAGS, ...flags])
      started.push(() => other.remove())
      return other
    },
    logIn: async (peer) => logIn(bridge, bridgePeer, peer),
    async clear() {
      for (const stop of started.splice(0).reverse()) await stop().catch(() => {})
    },
  }
}

async function addressOf(bridge: Bridge, peer: string, transport: Transport): Promise<string> {
  if (transport === 'websocket') return `/ip4/${HERE}/tcp/${bridge.port}/ws/p2p/${peer}`
  const { addresses } = (await (await fetch(`${bridge.origin}/info`)).json()) as { addresses: string[] }
  const found = addresses.find((address) => address.startsWith(`/ip4/${HERE}/`) && LOOKS[transport].test(`${address}/p2p/`))
  if (found === undefined) throw new Error(`the bridge listens on no ${transport}: ${addresses.join(' ')}`)
  return found.includes('/p2p/') ? found : `${found}/p2p/${peer}`
}

async function logIn(bridge: Bridge, bridgePeer: string, peer: ForeignPeer): Promise<void> {
  const { text: token } = await createToken(bridge, 'foreign')
  const response = await fetch(`${bridge.origin}${SESSIONS_PATH}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: await sessionRequest(bridgePeer, token, peer),
  })
  if (response.status !== 201) throw new Error(`the login was answered ${response.status}: ${await response.text()}`)
}

async function arrive(browser: Browser, bridge: Bridge, code: string): Promise<{ page: Page; peer: string; bridge: string }> {
  const { text: token } = await createToken(bridge, 'browser')
  const page = await (await browser.newContext({ serviceWorkers: 'block' })).newPage()
  // A real answer of the bridge that loads nothing of the app: Chromium keeps a made-up page from local sockets.
  await page.goto(`${bridge.origin}/healthz`)
  await page.evaluate(code)
  await page.waitForFunction(() => 'interop' in globalThis)
  return { page, ...(await page.evaluate((given) => interop.arrive(given), token)) }
}

async function bundle(): Promise<string> {
  const output = (await build({
    configFile: false,
    root,
    logLevel: 'error',
    build: {
      write: false,
      target: 'es2023',
      lib: { entry: join(root, 'e2e/interop/page.ts'), formats: ['iife'], name: 'interopPage' },
    },
  })) as Rolldown.RolldownOutput[]
  const chunk = output[0]?.output[0]
  if (chunk === undefined) throw new Error('nothing was built')
  return chunk.code
}
