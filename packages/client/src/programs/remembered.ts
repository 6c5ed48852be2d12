/**
 * What the way to the bridge and the paths to peers remember while a program runs, in memory: names, paths, first hops that won, direct connections that
 * failed. Each map has a cap, and forgets what was put first.
 */
import type { Path } from '../api.ts'
import type { People } from '../people.ts'
import type { UpgradeFailureRecord, WinnerRecord } from '../store/database.ts'
import type { UpgradeStore } from '../store/upgrades.ts'
import type { WinnerStore } from '../store/winners.ts'
import { MAX_REMEMBERED_FAILURES, MAX_REMEMBERED_PEERS } from './limits.ts'

export interface RememberedPeers extends Pick<People, 'presence' | 'gone' | 'nameOf' | 'connected' | 'path'> {
  /** Of each peer that has one. */
  paths(): ReadonlyMap<string, Path>
}

export function rememberedPeers(): RememberedPeers {
  const names = new Map<string, string>()
  const paths = new Map<string, Path>()
  return {
    presence(rows, reset) {
      if (reset) names.clear()
      for (const { peer, name } of rows) if (name !== '') put(names, peer, name, MAX_REMEMBERED_PEERS)
    },
    gone(peers) {
      for (const peer of peers) names.delete(peer)
    },
    nameOf: (peer) => names.get(peer) ?? `…${peer.slice(-6)}`,
    connected: () => undefined,
    path(peer, path) {
      if (path.kind === 'none') paths.delete(peer)
      else put(paths, peer, path, MAX_REMEMBERED_PEERS)
    },
    paths: () => paths,
  }
}

export function rememberedWinners(): WinnerStore {
  const winners = new Map<string, WinnerRecord>()
  return {
    get: async (network, bridge) => winners.get(`${network} ${bridge}`),
    async put(network, bridge, winner) {
      const key = `${network} ${bridge}`
      put(winners, key, { key, ...winner }, MAX_REMEMBERED_FAILURES)
    },
  }
}

export function rememberedUpgrades(): UpgradeStore {
  const failures = new Map<string, UpgradeFailureRecord>()
  return {
    get: async (network, peer) => failures.get(`${network} ${peer}`),
    async put(network, peer, failure) {
      const key = `${network} ${peer}`
      put(failures, key, { key, ...failure }, MAX_REMEMBERED_FAILURES)
    },
    async remove(network, peer) {
      failures.delete(`${network} ${peer}`)
    },
  }
}

function put<Value>(map: Map<string, Value>, key: string, value: Value, max: number): void {
  map.delete(key)
  map.set(key, value)
  const oldest = map.keys().next()
  if (map.size > max && oldest.done !== true) map.delete(oldest.value)
}
