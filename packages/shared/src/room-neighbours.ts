/**
 * The answer of `GET /api/v1/rooms/neighbours?topic=…`: native peers in a room whom the bridge is connected to, and where they say that they can be dialled.
 * A device hears them through the bridge and would otherwise know neither that they are there nor how a file gets to them.
 *
 * Version history: 2026-11-29, first. Unknown fields are ignored.
 */
import * as v from 'valibot'

/** Native peers of one topic that are told; the bridge's mesh has no more than a dozen neighbours a topic, and a list for a person ends somewhere. */
export const MAX_NEIGHBOURS = 64
/** Addresses of one of them. */
export const MAX_NEIGHBOUR_ADDRESSES = 16
const MAX_ADDRESS_LENGTH = 512

const neighbourSchema = v.object({
  peer: v.pipe(v.string(), v.maxLength(128)),
  /** Each ends in its peer's /p2p/. */
  addresses: v.pipe(v.array(v.pipe(v.string(), v.maxLength(MAX_ADDRESS_LENGTH))), v.maxLength(MAX_NEIGHBOUR_ADDRESSES)),
})
export type Neighbour = v.InferOutput<typeof neighbourSchema>

export const neighboursAnswerSchema = v.object({ neighbours: v.pipe(v.array(neighbourSchema), v.maxLength(MAX_NEIGHBOURS)) })
