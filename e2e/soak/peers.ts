/**
 * A process that holds some hundred light peers and does what its owner (run.ts) writes to it, one JSON object a line:
 *
 *     {do: 'join', count}                 makes peers, a few at a time; answers {event: 'joined', peers, failures}
 *     {do: 'leave', count}                the oldest go; answers {event: 'left', peers}
 *     {do: 'echo', to}                    a random peer of ours sends to that PeerID; answers {event: 'echoed', ms | error}
 *     {do: 'lists'}                       answers {event: 'lists', lists: [PeerIDs of each watcher's list]}
 *     {do: 'stats'}                       answers {event: 'stats', …} and begins to count anew
 *
 * Ends with its standard input. Arguments: one JSON object, see Arguments.
 */
import { createInterface } from 'node:readline'
import { startLightPeer, type LightPeer } from './light-peer.ts'

/** More only wait for each other: a handshake is all processor time. */
const JOINING_AT_ONCE = 4

interface Arguments {
  readonly origin: string
  readonly bridgePeer: string
  readonly tokens: readonly string[]
  /** Distinguishes this process's addresses from those of its siblings. */
  readonly number: number
  /** How many of its peers keep the list. */
  readonly watchers: number
}

const { origin, bridgePeer, tokens, number, watchers } = JSON.parse(process.argv[2] ?? '{}') as Arguments
const peers: LightPeer[] = []
const lost: string[] = []
let made = 0
let presenceBytes = 0

// libp2p leaves promises behind when a node stops in the middle of something; they are not what is looked at here.
process.on('unhandledRejection', () => {})

// The bridge takes us for its proxy: every socket comes from an address of its own. libp2p's transport cannot be given headers, Node's WebSocket can.
let sockets = 0
globalThis.WebSocket = class extends WebSocket {
  constructor(url: string | URL) {
    const index = sockets++
    const headers = { 'X-Forwarded-For': householdOf(index) }
    super(url, { headers } as unknown as string[])
  }
}

/** Four peers behind each address, spread over many networks. */
function householdOf(index: number): string {
  return `10.${number}.${(index >> 2) & 0xff}.${(index >> 10) + 1}`
}

const say = (event: object): void => void process.stdout.write(`${JSON.stringify(event)}\n`)

async function startOne(): Promise<LightPeer> {
  const index = made++
  const isWatcher = peers.filter(({ list }) => list !== undefined).length < watchers && index < watchers
  return startLightPeer({
    origin,
    bridgePeer,
    token: tokens[index % tokens.length] ?? '',
    address: householdOf(index),
    watches: isWatcher,
    onPresence: (bytes) => {
      presenceBytes += bytes
    },
    onLost: (what) => void lost.push(what),
  })
}

async function join(count: number): Promise<void> {
  const failures: string[] = []
  const joined: string[] = []
  const worker = async (_: unknown, first: number): Promise<void> => {
    for (let index = first; index < count; index += JOINING_AT_ONCE) {
      try {
        const peer = await startOne()
        peers.push(peer)
        joined.push(peer.peer)
      } catch (error) {
        failures.push(error instanceof Error ? error.message : String(error))
      }
    }
  }
  await Promise.all(Array.from({ length: JOINING_AT_ONCE }, worker))
  say({ event: 'joined', peers: joined, failures })
}

async function leave(count: number): Promise<void> {
  // Watchers stay: what they have seen is compared at the end.
  const leaving = peers.filter(({ list }) => list === undefined).slice(0, count)
  for (const peer of leaving) peers.splice(peers.indexOf(peer), 1)
  await Promise.all(leaving.map((peer) => peer.stop()))
  say({ event: 'left', peers: leaving.map(({ peer }) => peer) })
}

async function echo(to: string): Promise<void> {
  const others = peers.filter(({ peer }) => peer !== to)
  const sender = others[Math.floor(Math.random() * others.length)]
  try {
    if (sender === undefined) throw new Error('nobody here')
    say({ event: 'echoed', ms: await sender.echo(to) })
  } catch (error) {
    say({ event: 'echoed', error: error instanceof Error ? error.message : String(error) })
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line) as { do: string; count: number; to: string }
  if (order.do === 'join') void join(order.count)
  else if (order.do === 'leave') void leave(order.count)
  else if (order.do === 'echo') void echo(order.to)
  else if (order.do === 'lists') say({ event: 'lists', lists: peers.flatMap(({ list }) => (list === undefined ? [] : [[...list]])) })
  else if (order.do === 'stats') {
    const { user, system } = process.cpuUsage()
    say({
      event: 'stats',
      peers: peers.length,
      rss: process.memoryUsage.rss(),
      cpuMs: (user + system) / 1_000,
      presenceBytes,
      lost: lost.splice(0),
    })
    presenceBytes = 0
  }
}
process.exit(0)
