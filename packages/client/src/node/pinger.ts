/**
 * libp2p's ping (32 bytes there and back) on one stream that is kept open between the questions, for links whose muxer has no ping of its own.
 * Not here: one ping to prove a path (@footbridge/protocols/ping/ping-connection).
 */
import type { Connection, Stream } from '@libp2p/interface'

const PING_PROTOCOL = '/ipfs/ping/1.0.0'
const PING_BYTES = 32
/** As long as a link is given before it is called dead: a question pends until then. */
const OPEN_TIMEOUT_MS = 15_000
/** Questions at a time: the watch asks one, the measuring one. */
const MAX_PENDING = 8

interface Question {
  readonly askedAt: number
  readonly answer: PromiseWithResolvers<number>
}

interface PingStream {
  readonly stream: Stream
  readonly pending: Question[]
  bytesIn: number
}

/** @returns asks over this link, one link for each pinger. The answer is the round trip in milliseconds. */
export function createPinger(): (link: Connection) => Promise<number> {
  let open: Promise<PingStream> | undefined

  const begin = async (link: Connection): Promise<PingStream> => {
    const stream = await link.newStream(PING_PROTOCOL, { signal: AbortSignal.timeout(OPEN_TIMEOUT_MS), maxOutboundStreams: MAX_PENDING })
    const pings: PingStream = { stream, pending: [], bytesIn: 0 }
    stream.addEventListener('message', ({ data }) => {
      pings.bytesIn += data.byteLength
      for (; pings.bytesIn >= PING_BYTES; pings.bytesIn -= PING_BYTES) {
        const question = pings.pending.shift()
        question?.answer.resolve(performance.now() - question.askedAt)
      }
    })
    const ended = (): void => {
      open = undefined
      for (const { answer } of pings.pending.splice(0)) answer.reject(new Error('the ping stream ended'))
    }
    stream.addEventListener('close', ended)
    stream.addEventListener('remoteCloseWrite', () => stream.abort(new Error('the remote ended the ping stream')))
    return pings
  }

  return async (link) => {
    const opening = (open ??= begin(link))
    let pings: PingStream
    try {
      pings = await opening
    } catch (error) {
      if (open === opening) open = undefined
      throw error
    }
    if (pings.pending.length >= MAX_PENDING) throw new Error('too many pings are unanswered')
    const question: Question = { askedAt: performance.now(), answer: Promise.withResolvers() }
    pings.pending.push(question)
    pings.stream.send(crypto.getRandomValues(new Uint8Array(PING_BYTES)))
    return question.answer.promise
  }
}
