/** For tests: a policy that lets everybody in and limits nothing, but for what a test says. */
import { createMemoryStorage } from '@footbridge/storage/memory/memory-storage'
import { createBudgets } from '../auth/budgets.ts'
import type { BridgeLimits, RelayPolicy } from './relay.ts'
import { UNLIMITED, type ScopeLimits } from './scopes.ts'

export const NO_BRIDGE_LIMITS: BridgeLimits = { peer: UNLIMITED, address: UNLIMITED, bridge: UNLIMITED }

export function openPolicy(given: Partial<RelayPolicy> = {}): RelayPolicy {
  return {
    mayReserve: () => true,
    mayConnect: () => true,
    tokenOf: () => undefined,
    limits: () => NO_BRIDGE_LIMITS,
    days: createBudgets({ storage: createMemoryStorage(), clock: Date.now }),
    ...given,
  }
}

/** One token for everybody. */
export function tokenFor(limits: Partial<ScopeLimits>): Pick<RelayPolicy, 'tokenOf'> {
  return { tokenOf: () => ({ id: 't_1', limits: { ...UNLIMITED, ...limits } }) }
}
