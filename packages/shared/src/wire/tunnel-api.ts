/**
 * The HTTPS tunnel's opening over HTTP: `POST <base>` with an access token is answered 201 with this. What its requests carry: tunnel-frame.ts; how they
 * go together: ../tunnel/SPEC.md. Version history: 1, 2026-11-21, first. Unknown fields are ignored.
 */
import * as v from 'valibot'

/** Where a Footbridge bridge has it; other servers may have it elsewhere, the multiaddr says where (`/http-path/…`). */
export const TUNNEL_PATH = '/api/v1/tunnels'

const milliseconds = v.pipe(v.number(), v.minValue(1), v.maxValue(600_000))

export const tunnelAnswerSchema = v.object({
  /** Stands in the paths of the other requests. Worth nothing without the access token. */
  id: v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{16,64}$/)),
  /** Bytes that the client may send at once, as in a flow frame. */
  limit: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER)),
  /** The bridge promises a sign of life at once and then this often in a streamed answer. */
  heartbeatMs: milliseconds,
  /** A poll is answered within this time. */
  pollMs: milliseconds,
})
export type TunnelAnswer = v.InferOutput<typeof tunnelAnswerSchema>
