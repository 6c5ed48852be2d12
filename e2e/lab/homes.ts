/**
 * Bridges that people run at home, behind a NAT: one has asked its router for ports, the other has a place on somebody's relay and asks no router. A peer on go-libp2p, outside,
 * dials both. Not here: people (people.ts), and the bridge of the lab, which has a public address (bridge.ts).
 */
import { join } from 'node:path'
import { nativeNode } from '../../scripts/newer-glibc.ts'
import type { Child } from '../helpers/child.ts'
import type { Program } from '../interop/builds.ts'
import { eventually, expect } from '../interop/cell.ts'
import { ForeignPeer } from '../interop/foreign-peer.ts'
import { openHomeRouter } from './home-router.ts'
import type { Site } from './layout.ts'
import type { World } from './world.ts'

export interface HomeCell {
  readonly home: string
  /** What was seen. */
  words: string
  /** What is not as it has to be; the cell has failed unless this is empty. */
  readonly wrong: string[]
}

/** Default ports of a bridge, in the order of their names. */
const OPENED = ['TCP 8080', 'TCP 8081', 'UDP 8080', 'UDP 8082']
const START_MS = 60_000

/** @param program of the peer outside. Needs two networks of the name `cone`. @returns none where there are none. */
export async function visitHomes(world: World, program: Program): Promise<readonly HomeCell[]> {
  const [alice, bob] = world.layout.sites.filter(({ network }) => network.name === 'cone')
  if (alice === undefined || bob === undefined) return []
  const visitor = await ForeignPeer.start(world.within(world.layout.bridge.namespace, program.command), { listen: [] })
  try {
    return await Promise.all([
      visit('asks its router', () => askingRouter(world, alice, visitor)),
      visit('has a place on a relay', () => onRelay(world, bob, visitor)),
    ])
  } finally {
    await visitor.stop()
  }
}

async function visit(home: string, act: () => Promise<string>): Promise<HomeCell> {
  try {
    return { home, words: await act(), wrong: [] }
  } catch (error) {
    return { home, words: '', wrong: [error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)] }
  }
}

async function askingRouter(world: World, site: Site, visitor: ForeignPeer): Promise<string> {
  const router = openHomeRouter(world, site)
  const home = await startHome(world, site, ['--upnp', 'on'])
  const opened = await eventually('ports on the router', async () => {
    const ports = router.openPorts().toSorted()
    return ports.length >= OPENED.length ? ports : undefined
  })
  expect(opened.join() === OPENED.join(), `the router has opened ${opened.join(', ')}`)
  for (const at of ['tcp/8081', 'udp/8082/quic-v1', 'tcp/8080/ws']) {
    await visitor.order({ do: 'dial', address: `/ip4/${site.routerAddress}/${at}/p2p/${home.peer}` })
    await visitor.order({ do: 'ping', peer: home.peer })
    await visitor.order({ do: 'hangUp', peer: home.peer })
  }
  expect(router.wasAsked(), 'the router opened ports and counts no question, so that its count shows nothing')
  await home.bridge.stop()
  const left = router.openPorts()
  expect(left.length === 0, `after the bridge's stop the router still has ${left.join(', ')} open`)
  return `reached by TCP, QUIC and WebSocket at ${site.routerAddress}; ${opened.join(', ')} opened, and closed at the stop`
}

async function onRelay(world: World, site: Site, visitor: ForeignPeer): Promise<string> {
  const router = openHomeRouter(world, site)
  const { namespace, address } = world.layout.landmark
  const folder = join(world.folder, 'relay')
  const relay = world.start(namespace, [...FOOTBRIDGE, 'relay', '--host', '0.0.0.0', '--data-dir', folder])
  const at = await relay.line((line) => new RegExp(`/ip4/${address}/tcp/\\d+/p2p/\\w+`).exec(line)?.[0], START_MS)
  const home = await startHome(world, site, ['--relay-addrs', at])
  const circuit = `${at}/p2p-circuit/p2p/${home.peer}`
  const found = await eventually('a way in through the relay', () => visitor.order({ do: 'dial', address: circuit }))
  expect(String(found['address']).includes('/p2p-circuit'), `it was reached at ${String(found['address'])}`)
  await visitor.order({ do: 'ping', peer: home.peer })
  await home.bridge.stop()
  expect(!router.wasAsked(), 'the router was spoken to, though nobody had told the bridge to')
  return `reached through ${at}; the router was asked nothing`
}

const FOOTBRIDGE = [...nativeNode(), '--max-semi-space-size=4', 'apps/bridge/bin/footbridge.mjs']

async function startHome(world: World, site: Site, flags: readonly string[]): Promise<{ bridge: Child; peer: string }> {
  const [host] = site.hosts
  if (host === undefined) throw new Error(`${site.person} has no machine`)
  const place = ['--host', '0.0.0.0', '--disable-mdns', '--data-dir', join(world.folder, `home-${site.number}`)]
  const bridge = world.start(host.namespace, [...FOOTBRIDGE, ...place, ...flags])
  const peer = await bridge.line((line) => new RegExp(`/ip4/${host.address}/tcp/8081/p2p/(\\w+)`).exec(line)?.[1], START_MS)
  return { bridge, peer }
}
