/**
 * Native peers of other people's libp2p in the lab: two at a time, each behind a NAT of its own and with a place on the bridge's relay, one dials the other through it, and DCUtR
 * makes a hole for a direct connection where the rules of NAT let it. The peers are those of e2e/interop, which know nothing of Footbridge.
 * Not here: whether a path can be direct (expected.ts).
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Kind, Program } from '../interop/builds.ts'
import { eventually } from '../interop/cell.ts'
import { ForeignPeer } from '../interop/foreign-peer.ts'
import { sessionRequest, SESSIONS_PATH } from '../interop/session.ts'
import { createToken } from '../helpers/cli.ts'
import { BRIDGE_ORIGIN, type LabBridge } from './bridge.ts'
import { pathBetween, type Carrier, type PathKind } from './expected.ts'
import type { Host } from './layout.ts'
import type { LogInTask } from './log-in-process.ts'
import type { World } from './world.ts'

/** js-libp2p is not among them: its TCP dials from another port than it listens on, so that a NAT shows nobody the hole that it makes. */
export const PUNCHERS = ['go', 'rust'] as const satisfies readonly Kind[]

/** What is tried, between two networks of the same name, where the run has them. */
const TRIED = [
  ['cone', 'udp'],
  ['cone', 'tcp'],
  ['symmetric', 'udp'],
] as const satisfies readonly (readonly [string, Carrier])[]

export interface NativeCell {
  readonly network: string
  readonly dialler: Kind
  readonly listener: Kind
  readonly carrier: Carrier
  readonly expectedPath: PathKind
  path: PathKind | undefined
  /** From the circuit's being there to the direct connection's. */
  directMs: number | undefined
  /** Round trip in the end, over the best path there is. */
  pingMs: number | undefined
  /** What is not as it has to be; the cell has failed unless this is empty. */
  readonly wrong: string[]
}

const LISTEN: Readonly<Record<Carrier, string>> = { udp: '/ip4/0.0.0.0/udp/0/quic-v1', tcp: '/ip4/0.0.0.0/tcp/0' }
/** Implementations try three times, each with a timeout of some seconds. */
const DIRECT_MS = 60_000
/** So long nothing direct may come where nothing can: the first try, and the second. */
const WATCH_MS = 15_000
const LOOK_MS = 100

/** One cell for every pair of implementations, in both directions, over every carrier; those of one carrier at the same time. */
export async function punch(
  world: World,
  bridge: LabBridge,
  programs: readonly Program[],
  note: (line: string) => void,
): Promise<NativeCell[]> {
  const cells: NativeCell[] = []
  const { text: token } = await createToken(bridge, 'native peers', ['--devices', 'none'])
  for (const [network, carrier] of TRIED) {
    const [alice, bob] = world.layout.sites.filter((site) => site.network.name === network)
    const [here, there] = [alice?.hosts[0], bob?.hosts[0]]
    if (alice === undefined || bob === undefined || here === undefined || there === undefined) continue
    const expectedPath = pathBetween(alice.network, bob.network, carrier)
    const tried = programs.flatMap((dialler) =>
      programs.map(async (listener) => {
        const cell: NativeCell = {
          network,
          dialler: dialler.kind,
          listener: listener.kind,
          carrier,
          expectedPath,
          path: undefined,
          directMs: undefined,
          pingMs: undefined,
          wrong: [],
        }
        cells.push(cell)
        const peers: ForeignPeer[] = []
        const arrive = async ({ kind, command }: Program, host: Host): Promise<ForeignPeer> => {
          const peer = await ForeignPeer.start(world.within(host.namespace, command), { listen: [LISTEN[carrier]], dcutr: true })
          peers.push(peer)
          await logIn(world, bridge, token, host, peer)
          const { status } = await peer.order({ do: 'reserve', address: bridge.addresses[carrier] })
          if (status !== 'OK') throw new Error(`the bridge refused ${kind} a place on its relay: ${String(status)}`)
          // By identify it is told where it is seen from outside.
          await peer.order({ do: 'identify', peer: bridge.peer })
          return peer
        }
        try {
          await meet(bridge, cell, await arrive(dialler, here), await arrive(listener, there))
        } catch (error) {
          cell.wrong.push(error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error))
        } finally {
          await Promise.all(peers.map((peer) => peer.stop()))
        }
      }),
    )
    await Promise.all(tried)
    note(`native peers have met over ${carrier} between ${network} networks`)
  }
  return cells
}

async function logIn(world: World, bridge: LabBridge, token: string, host: Host, peer: ForeignPeer): Promise<void> {
  const task: LogInTask = {
    url: `${BRIDGE_ORIGIN}${SESSIONS_PATH}`,
    authority: world.certificates.authority,
    body: await sessionRequest(bridge.peer, token, peer),
  }
  const child = world.start(host.namespace, ['node', 'e2e/lab/log-in-process.ts', JSON.stringify(task)])
  const { status, text } = await child.event('answer', undefined, 60_000)
  if (status !== 201) throw new Error(`the login was answered ${String(status)}: ${String(text)}`)
}

async function meet(bridge: LabBridge, cell: NativeCell, dialler: ForeignPeer, listener: ForeignPeer): Promise<void> {
  await dialler.order({ do: 'dial', address: `${bridge.addresses[cell.carrier]}/p2p-circuit/p2p/${listener.peer}` })
  const startedAt = performance.now()
  const isDirect = cell.expectedPath === 'direct'
  while (cell.path !== 'direct' && performance.now() - startedAt < (isDirect ? DIRECT_MS : WATCH_MS)) {
    // Who was dialled hears of it a little later.
    const ends = [await pathsOf(dialler, listener), await pathsOf(listener, dialler)]
    if (ends[0]?.length === 0) throw new Error('they lost each other')
    cell.path = ends.every((paths) => paths.some(isDirectAddress)) ? 'direct' : 'relayed'
    if (cell.path === 'direct') cell.directMs = performance.now() - startedAt
    await sleep(LOOK_MS)
  }
  if (cell.path !== cell.expectedPath) cell.wrong.push(`the path is ${cell.path ?? 'none'}, not ${cell.expectedPath}`)
  for (const [one, other] of [
    [dialler, listener],
    [listener, dialler],
  ] as const)
    // More than once: one that runs on the circuit ends with it.
    cell.pingMs = await eventually('a ping', async () => (await one.order({ do: 'ping', peer: other.peer }))['ms'] as number)
}

async function pathsOf(one: ForeignPeer, other: ForeignPeer): Promise<readonly string[]> {
  return (await one.order({ do: 'paths', peer: other.peer }))['paths'] as string[]
}

/** For who is dialled over a circuit rust-libp2p has no address but `/p2p/` and the peer. */
function isDirectAddress(address: string): boolean {
  return address.startsWith('/ip4/') && !address.includes('/p2p-circuit')
}
