/**
 * Asks peers for blocks until each is here: several sources at once, the given ones first, a bounded number outstanding at each. A source that sends a
 * wrong block is dropped for good; one that fails rests; one that does not have a block is not asked for it again until something changes.
 * Not here: which blocks (blob-fetch.ts), verification (the requester does it), storing.
 */
import type { CID } from 'multiformats/cid'
import type { BlobRequester } from '@footbridge/protocols/blob/blob-requester'
import { isFootbridgeError, type FootbridgeError } from '@footbridge/shared/errors'
import { MAX_OUTSTANDING_BLOCKS } from '@footbridge/shared/limits'

/** Sources in use at a time: each may have 8 MiB on the way to us. */
const MAX_ACTIVE_SOURCES = 3
const MAX_REST_MS = 30_000

export interface BlockPoolParts {
  /** Peers that offered the blob, best first. */
  readonly given: () => readonly string[]
  /** Everybody else who is here. */
  readonly others: () => readonly string[]
  readonly open: (peer: string, signal: AbortSignal) => Promise<Pick<BlobRequester, 'request' | 'close' | 'open' | 'free'>>
  readonly onRefused: (peer: string) => void
  /** `active`: peers that blocks are coming from; empty means that nobody who has them is reachable. */
  readonly onSources: (active: readonly string[]) => void
  readonly now: () => number
  /** The first rest after a failure, and the wait when there is nobody to ask. Milliseconds. */
  readonly restMs: number
  readonly refused: Iterable<string>
}

interface Source {
  readonly peer: string
  requester: Pick<BlobRequester, 'request' | 'close' | 'open' | 'free'> | undefined
  opening: boolean
  outstanding: number
  failures: number
  restsUntil: number
  readonly absent: Set<string>
}

interface Want {
  readonly cid: CID
  readonly key: string
  readonly result: PromiseWithResolvers<Uint8Array>
  isAsked: boolean
}

export interface BlockPool {
  /** The block, verified. Rejects only when the pool stops. */
  get(cid: CID): Promise<Uint8Array>
  /** Room was made, somebody came, a path changed. `isFresh`: ask again those who rested or had nothing. */
  pump(isFresh?: boolean): void
  /** There is a better path to this peer: what is asked from now on goes over a new stream. */
  renew(peer: string): void
  stop(reason: FootbridgeError): void
}

export function createBlockPool(parts: BlockPoolParts): BlockPool {
  const sources = new Map<string, Source>()
  const wants: Want[] = []
  const refused = new Set(parts.refused)
  const stopping = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined

  const of = (peer: string): Source => {
    const known = sources.get(peer)
    if (known) return known
    const source: Source = { peer, requester: undefined, opening: false, outstanding: 0, failures: 0, restsUntil: 0, absent: new Set() }
    sources.set(peer, source)
    return source
  }

  const isActive = (source: Source): boolean => source.opening || source.requester?.open === true
  const isUsable = (source: Source): boolean => !refused.has(source.peer) && source.restsUntil <= parts.now()
  const nextFor = (source: Source): Want | undefined => wants.find((want) => !want.isAsked && !source.absent.has(want.key))

  const pump = (isFresh = false): void => {
    if (stopping.signal.aborted) return
    if (isFresh)
      for (const source of sources.values()) {
        source.restsUntil = 0
        source.absent.clear()
      }
    for (const source of sources.values()) ask(source)
    openMore()
    if (wants.length > 0) parts.onSources([...sources.values()].filter((source) => source.outstanding > 0).map((source) => source.peer))
    wakeLater()
  }

  const ask = (source: Source): void => {
    while (source.requester !== undefined && isUsable(source) && source.requester.free > 0) {
      const want = nextFor(source)
      if (want === undefined) return
      want.isAsked = true
      source.outstanding++
      void request(source, source.requester, want)
    }
  }

  const request = async (source: Source, requester: NonNullable<Source['requester']>, want: Want): Promise<void> => {
    try {
      const bytes = await requester.request(want.cid, stopping.signal)
      if (bytes === undefined) {
        source.absent.add(want.key)
        want.isAsked = false
      } else {
        source.failures = 0
        wants.splice(wants.indexOf(want), 1)
        want.result.resolve(bytes)
      }
    } catch (error) {
      want.isAsked = false
      failed(source, requester, error)
    } finally {
      source.outstanding--
      if (source.requester !== requester) closeWhenIdle(requester)
      pump()
    }
  }

  /** A requester that was left for a better path: what it was asked for may still come. */
  const closeWhenIdle = (requester: NonNullable<Source['requester']>): void => {
    if (requester.free === MAX_OUTSTANDING_BLOCKS) requester.close()
  }

  const failed = (source: Source, requester: Source['requester'], error: unknown): void => {
    requester?.close()
    // The other requests of a broken stream fail with it: count them once.
    if (source.requester !== requester) return
    source.requester = undefined
    if (isFootbridgeError(error, 'block_mismatch')) {
      if (!refused.has(source.peer)) parts.onRefused(source.peer)
      refused.add(source.peer)
      return
    }
    source.failures++
    source.restsUntil = parts.now() + Math.min(MAX_REST_MS, parts.restMs * 2 ** Math.min(source.failures - 1, 8))
  }

  const openMore = (): void => {
    const open = (peers: readonly string[]): void => {
      for (const peer of peers) {
        const active = [...sources.values()].filter(isActive).length
        if (active >= MAX_ACTIVE_SOURCES) return
        const source = of(peer)
        if (isActive(source) || !isUsable(source) || nextFor(source) === undefined) continue
        void openSource(source)
      }
    }
    const given = parts.given()
    open(given)
    // Others are asked only for what none of the given can give now.
    const isServed = (want: Want): boolean =>
      given.some((peer) => {
        const source = of(peer)
        return isUsable(source) && !source.absent.has(want.key)
      })
    if (wants.some((want) => !want.isAsked && !isServed(want))) open(parts.others())
    dropIdle()
  }

  /** A source without any wanted block gives its place to one that may have some. */
  const dropIdle = (): void => {
    for (const source of sources.values()) {
      if (
        source.requester === undefined ||
        source.outstanding > 0 ||
        wants.length === 0 ||
        wants.some((want) => !source.absent.has(want.key))
      )
        continue
      source.requester.close()
      source.requester = undefined
      source.restsUntil = parts.now() + parts.restMs
    }
  }

  const openSource = async (source: Source): Promise<void> => {
    source.opening = true
    try {
      const requester = await parts.open(source.peer, stopping.signal)
      if (stopping.signal.aborted) return requester.close()
      source.requester = requester
    } catch (error) {
      failed(source, undefined, error)
    } finally {
      source.opening = false
      pump()
    }
  }

  /** Rests end by themselves; absences are asked about again after a while, because the other side may have got the block meanwhile. */
  const wakeLater = (): void => {
    clearTimeout(timer)
    if (wants.length === 0 || [...sources.values()].some((source) => source.outstanding > 0 || source.opening)) return
    const rests = [...sources.values()].filter((source) => !refused.has(source.peer) && source.restsUntil > parts.now())
    const at = Math.min(...rests.map((source) => source.restsUntil), parts.now() + MAX_REST_MS)
    timer = setTimeout(
      () => {
        for (const source of sources.values()) if (source.restsUntil <= parts.now()) source.absent.clear()
        pump()
      },
      Math.max(1, at - parts.now()),
    )
  }

  return {
    get(cid) {
      if (stopping.signal.aborted) return Promise.reject(stopping.signal.reason)
      const want: Want = { cid, key: cid.toString(), result: Promise.withResolvers(), isAsked: false }
      wants.push(want)
      pump()
      return want.result.promise
    },
    pump,
    renew(peer) {
      const source = sources.get(peer)
      const requester = source?.requester
      if (source === undefined || requester === undefined) return
      source.requester = undefined
      closeWhenIdle(requester)
      pump()
    },
    stop(reason) {
      if (stopping.signal.aborted) return
      stopping.abort(reason)
      clearTimeout(timer)
      for (const source of sources.values()) source.requester?.close()
      for (const want of wants.splice(0)) {
        want.result.promise.catch(() => undefined)
        want.result.reject(reason)
      }
    },
  }
}
