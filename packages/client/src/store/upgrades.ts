/**
 * Which peers could not be reached directly from which network: remembered, so that a hopeless attempt is not repeated at each visit.
 */
import type { Database, UpgradeFailureRecord } from './database.ts'

export interface UpgradeStore {
  get(network: string, peer: string): Promise<UpgradeFailureRecord | undefined>
  put(network: string, peer: string, failure: Omit<UpgradeFailureRecord, 'key'>): Promise<void>
  remove(network: string, peer: string): Promise<void>
}

export function createUpgradeStore(database: Database): UpgradeStore {
  const key = (network: string, peer: string): string => `${network} ${peer}`
  return {
    get: (network, peer) => database.get('upgrades', key(network, peer)),
    async put(network, peer, failure) {
      await database.put('upgrades', { key: key(network, peer), ...failure })
    },
    remove: (network, peer) => database.delete('upgrades', key(network, peer)),
  }
}
