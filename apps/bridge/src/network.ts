/**
 * What makes the network see the bridge and its virtual peers: the part of the composition root for discovery, rendezvous, announcing and gossip.
 * Made by bridge.ts after the node, started after it and stopped before it. Features meet here and not in each other.
 * Not here: the transports and protocols of the node itself (node/create-node.ts), and who may be dialled (node/dial-policy.ts).
 */
import type { Storage } from '@footbridge/storage/ports'
import type { Config } from './config.ts'
import type { Addresses } from './node/addresses.ts'
import type { BridgeNode } from './node/create-node.ts'
import type { Registry } from './peers/registry.ts'
import type { Log } from './telemetry/log.ts'

export interface NetworkParts {
  /** Made, and not started yet when the network is made. */
  readonly node: BridgeNode
  readonly registry: Registry
  /** `dataDir` is where discovery remembers. */
  readonly config: Config
  readonly storage: Storage
  /** The bridge's own addresses, as others are told. */
  readonly addresses: Addresses
  readonly log: Log
  /** Milliseconds since the epoch. */
  readonly clock: () => number
  readonly randomBytes: (length: number) => Uint8Array
}

export interface Network {
  /** Once, after the node has started. */
  start(): Promise<void>
  /** Idempotent. */
  stop(): Promise<void>
}

export function createNetwork(parts: NetworkParts): Network {
  const { node, log } = parts
  /** What has been started, to be stopped in reverse. */
  const stack: (() => Promise<void> | void)[] = []

  return {
    async start() {
      // Whole, with the peer's id, so that they can be given to another program as they are.
      log.info({ addresses: node.getMultiaddrs().map(String) }, 'listening')
    },
    async stop() {
      for (const undo of stack.splice(0).reverse()) await undo()
    },
  }
}
