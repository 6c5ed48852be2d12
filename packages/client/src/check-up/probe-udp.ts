/**
 * UDP out and in, and the kind of NAT, by the bridge's two STUN addresses; TURN, where the operator has it. One socket asks both servers, and its mapped
 * addresses are compared; one more socket for each server tells whether that one answers at all, because a browser names the same answer only once.
 * Not here: what candidates mean (candidates.ts).
 */
import type { SessionAnswer } from '@footbridge/shared/login'
import { isPrivateAddress, mappedBy, natKind, parseCandidate, type Candidate } from './candidates.ts'
import type { Check, Took, UdpFigures } from './facts.ts'

/** A second answer that differs from the first comes hardly later than it. */
const SECOND_ANSWER_MS = 700

export type PeerConnection = new (configuration?: RTCConfiguration) => RTCPeerConnection

export interface UdpProbeParts {
  readonly PeerConnection: PeerConnection
  readonly iceServers: SessionAnswer['iceServers']
  readonly steady: () => number
  readonly signal: AbortSignal
}

export async function probeUdp(parts: UdpProbeParts): Promise<Check<UdpFigures, 'silent'>> {
  // The bridge's own come first; its answer names two ports of one machine.
  const [servers] = parts.iceServers.map(({ urls }) => urls.filter((url) => url.startsWith('stun'))).filter(({ length }) => length > 0)
  if (servers === undefined) return { state: 'not_offered' }
  const asked = servers.slice(0, 2)
  const startedAt = parts.steady()
  let ms: number | undefined
  const onAnswer = (): void => void (ms ??= parts.steady() - startedAt)

  using each = gatherings()
  const singles = asked.map((url) => each.gather(parts, { iceServers: [{ urls: [url] }] }, onAnswer))
  const both = each.gather(parts, { iceServers: [{ urls: asked }] }, onAnswer)
  const answers = await Promise.all(singles.map((single) => single.until((seen) => mappedBy(seen).length > 0)))
  const answered = answers.filter((seen) => mappedBy(seen).length > 0).length
  if (answered > 0) await both.until((seen) => mappedBy(seen).length > 1, SECOND_ANSWER_MS)
  const all = [...both.seen, ...answers.flat()]
  const mapped = mappedBy(both.seen).length > 0 ? mappedBy(both.seen) : mappedBy(all)
  if (mapped.length === 0) {
    // Firefox keeps a mapped address to itself that is the device's own; then it is done before silence could have been noticed.
    if (!parts.signal.aborted) return { state: 'unknown', because: 'untold' }
    return { state: 'broken', reason: 'silent', afterMs: parts.steady() - startedAt }
  }
  return {
    state: 'works',
    figures: {
      nat: natKind(both.seen, answered),
      mapped,
      asked: asked.length,
      answered,
      ms: ms ?? parts.steady() - startedAt,
      isInside: mapped.every(({ address }) => isPrivateAddress(address)),
      ipv6: all.some(({ address }) => address.includes(':')),
    },
  }
}

export async function probeTurn(parts: UdpProbeParts): Promise<Check<Took, 'silent'>> {
  const iceServers = parts.iceServers.filter(({ urls }) => urls.some((url) => url.startsWith('turn')))
  if (iceServers.length === 0) return { state: 'not_offered' }
  const startedAt = parts.steady()
  using each = gatherings()
  const relayed = (seen: readonly Candidate[]): boolean => seen.some(({ type }) => type === 'relay')
  const gathered = each.gather(parts, { iceServers: iceServers as RTCIceServer[], iceTransportPolicy: 'relay' }, () => undefined)
  const seen = await gathered.until(relayed)
  const ms = parts.steady() - startedAt
  return relayed(seen) ? { state: 'works', figures: { ms } } : { state: 'broken', reason: 'silent', afterMs: ms }
}

interface Gathering {
  readonly seen: Candidate[]
  /** Ends when it is so, when there is no more to come, after `withinMs` once the first mapped address is there, or with the signal. */
  until(isIt: (seen: readonly Candidate[]) => boolean, withinMs?: number): Promise<readonly Candidate[]>
}

function gatherings(): Disposable & { gather(parts: UdpProbeParts, configuration: RTCConfiguration, onAnswer: () => void): Gathering } {
  const open: RTCPeerConnection[] = []
  return {
    [Symbol.dispose]() {
      for (const connection of open) connection.close()
    },
    gather({ PeerConnection, signal }, configuration, onAnswer) {
      const connection = new PeerConnection(configuration)
      open.push(connection)
      const seen: Candidate[] = []
      let isOver = false
      const listeners = new Set<() => void>()
      const changed = (): void => listeners.forEach((listener) => listener())
      connection.addEventListener('icecandidate', ({ candidate }) => {
        const parsed = candidate === null ? undefined : parseCandidate(candidate.candidate)
        if (parsed === undefined) return
        seen.push(parsed)
        if (parsed.type === 'srflx') onAnswer()
        changed()
      })
      connection.addEventListener('icegatheringstatechange', () => {
        isOver = connection.iceGatheringState === 'complete'
        changed()
      })
      connection.createDataChannel('check-up')
      connection
        .createOffer()
        .then((offer) => connection.setLocalDescription(offer))
        .catch(() => {
          isOver = true
          changed()
        })
      return {
        seen,
        until(isIt, withinMs) {
          const { promise, resolve } = Promise.withResolvers<readonly Candidate[]>()
          let timer: ReturnType<typeof setTimeout> | undefined
          const look = (): void => {
            if (isIt(seen) || isOver || signal.aborted) resolve(seen)
            else if (withinMs !== undefined && mappedBy(seen).length > 0) timer ??= setTimeout(() => resolve(seen), withinMs)
          }
          listeners.add(look)
          signal.addEventListener('abort', look, { once: true })
          look()
          return promise.finally(() => {
            clearTimeout(timer)
            listeners.delete(look)
            signal.removeEventListener('abort', look)
          })
        },
      }
    },
  }
}
