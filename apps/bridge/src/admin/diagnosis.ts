/**
 * What a running bridge tells `footbridge doctor` of itself over the control socket: the settings that are in force, without secrets, and what became of them.
 * Not here: the checks (../doctor/).
 */
import type { Config } from '../config/config.ts'

export type PlainSettings = Pick<
  Config,
  'host' | 'wtHost' | 'dataDir' | 'publicUrl' | 'tls' | 'trustedProxies' | 'announceAddrs' | 'stun' | 'guests'
> & { readonly turnUrls: readonly string[] }

export interface Diagnosis {
  readonly settings: PlainSettings
  readonly url: string
  readonly peer: string
  readonly version: string
  /** The port of HTTP as it is, if the system chose it. */
  readonly port: number
  /** The TCP port for native peers. */
  readonly p2pPort: number | undefined
  readonly webTransport: { readonly port: number } | { readonly reason: string }
  readonly stunPorts: readonly number[]
  /** As native peers are told. */
  readonly addresses: readonly string[]
  /** `/proc/self/limits`; undefined where there is none. */
  readonly processLimits: string | undefined
}

export function plainSettings(config: Config): PlainSettings {
  const { host, wtHost, dataDir, publicUrl, tls, trustedProxies, announceAddrs, stun, guests, turn } = config
  return { host, wtHost, dataDir, publicUrl, tls, trustedProxies, announceAddrs, stun, guests, turnUrls: turn?.urls ?? [] }
}
