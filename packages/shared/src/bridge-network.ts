/**
 * The answer of `GET /api/v1/network`: how a bridge itself stands in the network, in numbers, for whoever is logged in there. It names no peer and no
 * address: those are the operator's (`footbridge network`).
 *
 * Version history: 2026-11-29, first. Unknown fields are ignored, an unknown source is one more to count.
 */
import * as v from 'valibot'

const count = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER))

export const bridgeNetworkSchema = v.object({
  /** Whether peers elsewhere can dial the bridge, as those who tried have told it. */
  reachability: v.picklist(['unknown', 'reachable', 'unreachable']),
  /** When that was last tried, the bridge's clock; null: never. */
  testedAt: v.nullable(count),
  /** Other relays that it knows, and on how many it holds a place. */
  relays: v.object({ known: count, accepted: count }),
  /** Rendezvous points that it knows, and at how many it is registered. */
  rendezvous: v.object({ known: count, registered: count }),
  /** Peers in its discovery book; in `bySource` one counts for each source that told of it. */
  peers: v.object({ total: count, bySource: v.record(v.pipe(v.string(), v.maxLength(32)), count) }),
})
export type BridgeNetwork = v.InferOutput<typeof bridgeNetworkSchema>
