/**
 * A foreign peer as the cells see it: a process that obeys one JSON command a line and tells one JSON event a line (README.md). All three kinds are driven
 * the same way. Not here: where their programs come from (builds.ts).
 */
import { Child, type Event } from '../helpers/child.ts'
import type { BulkOrder } from './bulk.ts'

export interface PeerSettings {
  readonly listen: readonly string[]
  /** Serves as a relay for anybody. */
  readonly relay?: boolean
  /** Serves as a rendezvous point; rust-libp2p alone has one. */
  readonly rendezvous?: boolean
  /** Sends a signed record in identify: rust-libp2p, in the older envelope. The others always do. */
  readonly signedRecord?: boolean
  /** `/calimero` for `/calimero/kad/1.0.0`; none by default. */
  readonly kadPrefix?: string
  /** Service name of mDNS; none by default. rust-libp2p knows one and takes no other. */
  readonly mdnsTag?: string
  /** Punches holes. */
  readonly dcutr?: boolean
}

type At = { readonly address: string }
type Of = { readonly peer: string }

export type Command =
  | ({ readonly do: 'dial' | 'reserve' | 'kadBootstrap' } & At)
  | ({ readonly do: 'hangUp' | 'paths' | 'ping' | 'identify' | 'kadFind' | 'mdnsFind' } & Of)
  | ({ readonly do: 'bulk' } & Of & BulkOrder)
  | { readonly do: 'subscribe' | 'topicPeers'; readonly topic: string }
  | { readonly do: 'publish'; readonly topic: string; readonly data: string }
  | ({ readonly do: 'register' | 'discover'; readonly namespace: string } & At)
  /** Hexadecimal, both ways. */
  | { readonly do: 'sign'; readonly bytes: string }

const START_MS = 30_000
/** Above the peers' own patience: their words are better than ours. */
const COMMAND_MS = 100_000

export class ForeignPeer {
  readonly #child: Child
  readonly peer: string
  readonly addresses: readonly string[]
  #commands = 0

  private constructor(child: Child, peer: string, addresses: readonly string[]) {
    this.#child = child
    this.peer = peer
    this.addresses = addresses
  }

  /** @param program what runs it, without the settings. */
  static async start(program: readonly string[], settings: PeerSettings): Promise<ForeignPeer> {
    const child = new Child([...program, JSON.stringify(settings)])
    try {
      const { peer, addresses } = await child.event('ready', undefined, START_MS)
      return new ForeignPeer(child, peer as string, addresses as string[])
    } catch (error) {
      await child.stop()
      throw error
    }
  }

  get pid(): number {
    return this.#child.pid
  }

  /** @throws with the peer's own words when it fails. */
  async order(command: Command): Promise<Event> {
    const id = ++this.#commands
    this.#child.writeLine(JSON.stringify({ id, ...command }))
    const answer = await this.#child.line((line) => {
      if (!line.startsWith('{')) return undefined
      const event = JSON.parse(line) as Event
      return event['id'] === id ? event : undefined
    }, COMMAND_MS)
    if (answer.event === 'failed') throw new Error(`${command.do}: ${String(answer['error'])}`)
    return answer
  }

  /** A message of gossip that came or comes. */
  async heard(topic: string, data: string, timeoutMs = 30_000): Promise<Event> {
    return await this.#child.event('message', (event) => event['topic'] === topic && event['data'] === data, timeoutMs)
  }

  /** The first address that it listens on and that `fits`. @throws when there is none. */
  address(fits: RegExp): string {
    const found = this.addresses.find((address) => fits.test(address))
    if (found === undefined) throw new Error(`it listens on no address like ${String(fits)}: ${this.addresses.join(' ')}`)
    return found
  }

  async stop(): Promise<void> {
    await this.#child.stop()
  }
}
