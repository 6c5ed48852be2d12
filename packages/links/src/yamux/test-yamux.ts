/** For tests: our muxer beside the stock one, and beside a remote that writes frames by hand, well or badly. */
import type { Stream, StreamMuxer } from '@libp2p/interface'
import { yamux as stockYamux } from '@libp2p/yamux'
import { createWires, type Wire, type WireOptions } from '../test-wire.ts'
import { createHeader, TYPE } from './frame.ts'
import { FrameParser } from './frame-parser.ts'
import { YamuxMuxer } from './yamux-muxer.ts'

export interface Frame {
  readonly type: number
  readonly flags: number
  readonly streamId: number
  readonly length: number
}

export type Kind = 'ours' | 'stock'

export const limits = { maxInboundStreams: 300, maxOutboundStreams: 300 }

const createMuxer = (kind: Kind, wire: Wire): StreamMuxer =>
  kind === 'ours' ? new YamuxMuxer(wire, limits) : stockYamux()().createStreamMuxer(wire)

export interface Side {
  readonly muxer: StreamMuxer
  readonly wire: Wire
  /** Opened by the other side. */
  readonly inbound: Stream[]
}

/** The dialler first. */
export function createMuxers(dialler: Kind, listener: Kind, options?: WireOptions): [Side, Side] {
  const [near, far] = createWires(options)
  const side = (kind: Kind, wire: Wire): Side => {
    const muxer = createMuxer(kind, wire)
    const inbound: Stream[] = []
    muxer.addEventListener('stream', ({ detail }) => inbound.push(detail))
    return { muxer, wire, inbound }
  }
  return [side(dialler, near), side(listener, far)]
}

export interface Raw {
  readonly muxer: YamuxMuxer
  /** The muxer's end, and the end that writes by hand. */
  readonly wire: Wire
  readonly remote: Wire
  /** Opened by the remote. */
  readonly inbound: Stream[]
  /** What the muxer sent, from the first frame on; data frames without their bodies. */
  readonly frames: Frame[]
  readonly write: (type: number, flags: number, streamId: number, length: number, body?: Uint8Array) => void
}

/** Our muxer as the listener, unless said otherwise, and a remote that only does what the test writes. */
export function createRaw(options: WireOptions & { dials?: boolean; listens?: boolean } = {}): Raw {
  const [near, far] = createWires(options)
  const [wire, remote] = options.dials === true ? [near, far] : [far, near]
  const muxer = new YamuxMuxer(wire, limits)
  const inbound: Stream[] = []
  if (options.listens !== false) muxer.addEventListener('stream', ({ detail }) => inbound.push(detail))
  const frames: Frame[] = []
  const parser = new FrameParser({
    header: (type, flags, streamId, length) => frames.push({ type, flags, streamId, length }),
    body: () => {},
    bodyEnd: () => {},
  })
  remote.addEventListener('message', ({ data }) => {
    parser.receive(data.slice(), 0)
  })
  return {
    muxer,
    wire,
    remote,
    inbound,
    frames,
    write(type, flags, streamId, length, body) {
      remote.send(createHeader(type, flags, streamId, length))
      if (type === TYPE.data && body !== undefined) remote.send(body)
    },
  }
}
