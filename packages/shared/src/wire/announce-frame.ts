/**
 * Frames of `/footbridge/announce/1.0.0`: a device chooses who can find it, and its bridge says where it tells of it.
 *
 *     browser                               bridge
 *       │ visible {visibility}  ──────────────►│   first, and whenever the person chooses anew
 *       │◄──────────────────── places {places} │   what is done with it, place by place; again whenever that changes
 *       │◄────────── wanted {addresses, after} │   with `network`: sign a record of these, numbered above `after`; again when the bridge's addresses change
 *       │ record {envelope, legacy}  ─────────►│   the same record in both forms of libp2p
 *       │◄──────────────────── refused {reason}│   or not carried, and why
 *
 * The device signs and the bridge only carries: it holds no key of the device, so it can neither make a record nor change one. It carries a record whose signature holds,
 * whose PeerID is that of the connection, whose number is above every one before it, and whose addresses are all among those it asked for,
 * each a circuit through this bridge. `visibility` holds until the session ends, over any number of streams; the last word counts.
 * Being dialled is another matter: whoever knows the address of a device reaches it whatever it chose.
 *
 * Needs a session: the bridge resets the stream of anybody else. Frames of unknown type are skipped, unknown fields ignored; a reader that knows a frame but
 * not its `place`, `state` or `reason` must treat it as `other`, so senders may add some.
 * Version history: 1.0.0, 2026-11-28, first.
 */
import * as v from 'valibot'
import { MAX_ANNOUNCED_ADDRESSES, MAX_ENVELOPE_LENGTH } from '../limits.ts'
import { decodeJsonFrame } from './json-frame.ts'
import { word } from './word.ts'

/** Who can find a device: nobody, the sessions of its bridge, or whoever looks for peers on the network. */
export const VISIBILITIES = ['nobody', 'bridge', 'network'] as const
/** For those who say nothing, as devices did before they could. */
export const DEFAULT_VISIBILITY = 'bridge'

export const visibilitySchema = v.picklist(VISIBILITIES)

/** Where. `presence`: the list that this bridge's sessions see. `pubsub`: the device publishes there itself; a bridge cannot, without its key. */
const place = word(['presence', 'rendezvous', 'kademlia', 'mdns', 'pubsub'])
/**
 * `announced`: found there now. `ready`: the device's own to do, or next to be done. `off`: not chosen, or not a place of this bridge.
 * `full`: as many are announced there as may be. `failed`: tried, and tried again by itself.
 */
const state = word(['announced', 'ready', 'off', 'full', 'failed'])
/** Why a record is not carried. `number`: not above the last. `address`: one that was not asked for. `full`: of this token, or of the bridge, as many as may be. */
const reason = word(['malformed', 'signature', 'peer', 'number', 'address', 'full', 'unasked'])

const envelope = v.pipe(v.string(), v.maxLength(MAX_ENVELOPE_LENGTH), v.regex(/^[A-Za-z0-9_-]+$/))

const placeRow = v.object({
  place,
  state,
  /** Under which names: namespaces, Kademlia's protocols, service names, topics. */
  names: v.pipe(v.array(v.pipe(v.string(), v.maxLength(255))), v.maxLength(32)),
})

const schema = v.variant('type', [
  v.object({ type: v.literal('visible'), visibility: visibilitySchema }),
  v.object({ type: v.literal('places'), places: v.pipe(v.array(placeRow), v.maxLength(16)) }),
  v.object({
    type: v.literal('wanted'),
    /** Multiaddrs, each ending in `/p2p/<bridge>/p2p-circuit`. */
    addresses: v.pipe(v.array(v.pipe(v.string(), v.minLength(1), v.maxLength(512))), v.maxLength(MAX_ANNOUNCED_ADDRESSES)),
    /** The number (`seq`) of the last record that the bridge took in this session; 0 when there was none. */
    after: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  }),
  v.object({
    type: v.literal('record'),
    /** A libp2p envelope of domain `libp2p-peer-record` and type 0x0301, base64url. */
    envelope,
    /** The same record in the older form that Rust's rendezvous reads: domain `libp2p-routing-state`, type `/libp2p/routing-state-record`. */
    legacy: envelope,
  }),
  v.object({ type: v.literal('refused'), reason }),
])

export type AnnounceFrame = v.InferOutput<typeof schema>
export type Visibility = v.InferOutput<typeof visibilitySchema>
export type AnnouncePlace = v.InferOutput<typeof placeRow>
export type RecordRefusal = v.InferOutput<typeof reason>

/** See decodeJsonFrame for what is returned and thrown. */
export function decodeAnnounceFrame(bytes: Uint8Array): AnnounceFrame | undefined {
  return decodeJsonFrame(schema, bytes)
}
