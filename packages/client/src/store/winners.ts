/** Which first hop won the last race on which network: the next race lets it begin first. */
import type { Database, WinnerRecord } from './database.ts'

export interface WinnerStore {
  get(network: string, bridge: string): Promise<WinnerRecord | undefined>
  put(network: string, bridge: string, winner: Omit<WinnerRecord, 'key'>): Promise<void>
}

export function createWinnerStore(database: Database): WinnerStore {
  const key = (network: string, bridge: string): string => `${network} ${bridge}`
  return {
    get: (network, bridge) => database.get('winners', key(network, bridge)),
    async put(network, bridge, winner) {
      await database.put('winners', { key: key(network, bridge), ...winner })
    },
  }
}
