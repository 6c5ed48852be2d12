/**
 * All light peers, spread over child processes (peers.ts), as one crowd that joins, changes, talks and leaves.
 */
import { Child } from '../helpers/child.ts'
import type { BridgeView } from './bridge-view.ts'

const PEERS_PER_PROCESS = 500
const PEERS_PER_TOKEN = 100
const JOIN_MS = 15 * 60_000
const ANSWER_MS = 90_000

export interface CrowdStats {
  readonly peers: number
  readonly rss: number
  readonly presenceBytes: number
  /** What ended that nobody had ended. */
  readonly lost: readonly string[]
}

export interface Crowd {
  /** PeerIDs of those who are here. */
  readonly here: ReadonlySet<string>
  readonly failures: readonly string[]
  join(count: number): Promise<void>
  /** So many leave and as many others come. */
  churn(count: number): Promise<void>
  /** A circuit between a random pair. @returns milliseconds. @throws when it did not work. */
  echo(): Promise<number>
  /** The lists that watchers keep. */
  lists(): Promise<readonly (readonly string[])[]>
  stats(): Promise<CrowdStats>
  /** Everybody is gone at once, as when the power fails. */
  vanish(): Promise<void>
}

/** @param size how many there will be at most. */
export async function gatherCrowd(view: BridgeView, size: number): Promise<Crowd> {
  const count = Math.max(2, Math.ceil(size / PEERS_PER_PROCESS))
  const tokens = await view.createTokens(Math.ceil(size / PEERS_PER_TOKEN))
  const children = Array.from({ length: count }, (_, number) => {
    const own = tokens.filter((_token, index) => tokens.length < count || index % count === number)
    const options = { origin: `http://127.0.0.1:${view.bridge.port}`, bridgePeer: view.peer, tokens: own, number, watchers: 1 }
    return new Asked(new Child(['node', '--max-old-space-size=4096', 'e2e/soak/peers.ts', JSON.stringify(options)]))
  })
  const here = new Set<string>()
  const failures: string[] = []

  const joinAt = async (child: Asked, joining: number): Promise<void> => {
    if (joining === 0) return
    const answer = await child.ask({ do: 'join', count: joining }, 'joined', JOIN_MS)
    for (const peer of answer['peers'] as string[]) here.add(peer)
    failures.push(...(answer['failures'] as string[]))
  }
  const share = (total: number, index: number): number => Math.floor(total / count) + (index < total % count ? 1 : 0)
  let turn = 0
  let leaving: Promise<unknown> = Promise.resolve()
  const next = (): Asked => children[turn++ % count] as Asked

  return {
    here,
    failures,
    async join(joining) {
      await Promise.all(children.map((child, index) => joinAt(child, share(joining, index))))
    },
    async churn(changing) {
      const child = next()
      const left = child.ask({ do: 'leave', count: changing }, 'left', ANSWER_MS).then(({ peers }) => {
        for (const peer of peers as string[]) here.delete(peer)
        return (peers as string[]).length
      })
      leaving = left.catch(() => undefined)
      await joinAt(child, await left)
    },
    async echo() {
      for (;;) {
        const peers = [...here]
        const to = peers[Math.floor(Math.random() * peers.length)] ?? ''
        const { ms, error } = await next().ask({ do: 'echo', to }, 'echoed', ANSWER_MS)
        if (typeof ms === 'number') return ms
        // Whoever was leaving just then could not be reached, and rightly so: somebody else can.
        await leaving
        if (here.has(to)) throw new Error(String(error))
      }
    },
    async lists() {
      const answers = await Promise.all(children.map((child) => child.ask({ do: 'lists' }, 'lists', ANSWER_MS)))
      return answers.flatMap(({ lists }) => lists as string[][])
    },
    async stats() {
      const answers = (await Promise.all(
        children.map((child) => child.ask({ do: 'stats' }, 'stats', ANSWER_MS)),
      )) as unknown as CrowdStats[]
      const sum = (of: (stats: CrowdStats) => number): number => answers.reduce((total, each) => total + of(each), 0)
      return {
        peers: sum(({ peers }) => peers),
        rss: sum(({ rss }) => rss),
        presenceBytes: sum(({ presenceBytes }) => presenceBytes),
        lost: answers.flatMap(({ lost }) => lost),
      }
    },
    async vanish() {
      here.clear()
      await Promise.all(children.map(({ child }) => child.stop('SIGKILL')))
    },
  }
}

/** A child that answers each order with one event; orders of one kind are asked one after another. */
class Asked {
  readonly child: Child
  readonly #seen = new Map<string, number>()

  constructor(child: Child) {
    this.child = child
  }

  async ask(order: object, answer: string, timeoutMs: number): Promise<Readonly<Record<string, unknown>>> {
    const skip = this.#seen.get(answer) ?? 0
    this.#seen.set(answer, skip + 1)
    let seen = 0
    const answered = this.child.event(answer, () => seen++ === skip, timeoutMs)
    this.child.writeLine(JSON.stringify(order))
    return answered
  }
}
