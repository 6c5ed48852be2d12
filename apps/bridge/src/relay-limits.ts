/**
 * What one peer, one address and the whole bridge may use of the relay, as the operator last set it: kept in the store, in force from its next byte on.
 * Not here: what a token may use (auth/tokens.ts), the defaults and the ceilings above (relay/limits.ts).
 */
import { FootbridgeError } from '@footbridge/shared/errors'
import type { SettingStore } from '@footbridge/storage/ports'
import * as v from 'valibot'
import { DEFAULT_BRIDGE_LIMITS } from './relay/limits.ts'
import type { BridgeLimits } from './relay/relay.ts'
import type { ScopeLimits } from './relay/scopes.ts'

/** Names of limits given in a change; those left out stay. */
export type LimitChanges = Partial<ScopeLimits>

export interface RelayLimitSettings {
  current(): BridgeLimits
  /** Reads what was set before; until then the defaults hold. What cannot be read is told and left aside. */
  load(): Promise<void>
  /** @throws FootbridgeError `bad_request` for a change that does not fit. */
  change(scope: keyof BridgeLimits, changes: LimitChanges): Promise<BridgeLimits>
}

const SETTING = 'relay-limits'

const amount = v.nullable(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(Number.MAX_SAFE_INTEGER)))
/** For the admin route as well. */
export const limitChangesSchema = v.strictObject({
  reservations: v.exactOptional(amount),
  circuits: v.exactOptional(amount),
  circuitsPerMinute: v.exactOptional(amount),
  bytesPerSecond: v.exactOptional(amount),
  bytesPerDay: v.exactOptional(amount),
})
const storedSchema = v.object({
  peer: v.exactOptional(limitChangesSchema),
  address: v.exactOptional(limitChangesSchema),
  bridge: v.exactOptional(limitChangesSchema),
})

export function createRelayLimitSettings(dependencies: {
  readonly storage: { readonly settings: SettingStore }
  readonly onChange?: () => void
  readonly onError?: (error: unknown) => void
}): RelayLimitSettings {
  const { storage, onChange, onError } = dependencies
  /** Only what differs from the defaults is kept, so that better defaults reach old bridges. */
  let stored: { [Scope in keyof BridgeLimits]?: LimitChanges } = {}
  let current = DEFAULT_BRIDGE_LIMITS

  const apply = (): void => {
    current = {
      peer: { ...DEFAULT_BRIDGE_LIMITS.peer, ...stored.peer },
      address: { ...DEFAULT_BRIDGE_LIMITS.address, ...stored.address },
      bridge: { ...DEFAULT_BRIDGE_LIMITS.bridge, ...stored.bridge },
    }
  }

  return {
    current: () => current,
    async load() {
      const text = await storage.settings.get(SETTING)
      if (text === undefined) return
      try {
        stored = v.parse(storedSchema, JSON.parse(text))
        apply()
      } catch (error) {
        onError?.(error)
      }
    },
    async change(scope, changes) {
      const parsed = v.safeParse(limitChangesSchema, changes)
      if (!parsed.success) throw new FootbridgeError('bad_request', v.summarize(parsed.issues))
      if (scope === 'peer' && 'reservations' in parsed.output)
        throw new FootbridgeError('bad_request', 'a peer has one reservation at most')
      stored = { ...stored, [scope]: { ...stored[scope], ...parsed.output } }
      await storage.settings.set(SETTING, JSON.stringify(stored))
      apply()
      onChange?.()
      return current
    },
  }
}
