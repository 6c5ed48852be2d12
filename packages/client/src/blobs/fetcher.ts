/**
 * All transfers to this device: starts, pauses, resumes after a reload, and reports to the app. One blob's way is in blob-fetch.ts.
 */
import { CID } from 'multiformats/cid'
import type { BlobRequester } from '@footbridge/protocols/blob/blob-requester'
import { FootbridgeError } from '@footbridge/shared/errors'
import type { FileOffer } from '../api.ts'
import type { Log } from '../log.ts'
import type { BlobStore } from '../store/blobs.ts'
import { fetchBlob } from './blob-fetch.ts'
import { createBlockPool, type BlockPool } from './block-pool.ts'
import type { Transfers } from './transfers.ts'

/** Transfers at a time; the others wait their turn. */
const MAX_RUNNING = 3
/** The speed shown is that of the last seconds. */
const SPEED_WINDOW_MS = 3_000
const MIN_SPEED_WINDOW_MS = 500
const REST_MS = 1_000

export interface FetcherParts {
  readonly store: BlobStore
  readonly transfers: Transfers
  /** Everybody who is here. */
  readonly onlinePeers: () => readonly string[]
  readonly open: (peer: string, signal: AbortSignal) => Promise<BlobRequester>
  readonly nameOf: (peer: string) => string
  readonly log: Log
  readonly now: () => number
  /** A blob became complete: it may be served now. */
  readonly onComplete: (cid: string) => void
}

interface Job {
  readonly offer: FileOffer
  readonly stop: AbortController
  pool: BlockPool | undefined
  ended: Promise<void>
}

export interface Fetcher {
  start(offer: FileOffer, sources: readonly string[]): Promise<void>
  pause(cid: string): Promise<void>
  /** Ends it, to be forgotten. */
  drop(cid: string): Promise<void>
  /** Goes on with everything that was under way when the page was closed. */
  resumeAll(): Promise<void>
  /** Somebody came. */
  sourcesChanged(): void
  /** There is a better path to this peer. */
  pathChanged(peer: string): void
  stop(): Promise<void>
}

export function createFetcher(parts: FetcherParts): Fetcher {
  const { store, transfers, log, now } = parts
  const jobs = new Map<string, Job>()
  const queued: FileOffer[] = []
  let stopped = false

  const launch = (offer: FileOffer): void => {
    if (stopped || jobs.has(offer.cid)) return
    if (jobs.size >= MAX_RUNNING) {
      if (!queued.some((other) => other.cid === offer.cid)) queued.push(offer)
      transfers.report(offer.cid, { state: 'waiting', bytesTotal: offer.size })
      return
    }
    const job: Job = { offer, stop: new AbortController(), pool: undefined, ended: Promise.resolve() }
    jobs.set(offer.cid, job)
    job.ended = run(job).finally(() => {
      jobs.delete(offer.cid)
      const next = queued.shift()
      if (next) launch(next)
    })
  }

  const run = async (job: Job): Promise<void> => {
    const { cid } = job.offer
    const record = await store.get(cid)
    if (record === undefined || record.state === 'complete') return transfers.reload(cid)
    const speed = createSpeed(now)
    const contributors = new Set<string>()
    const refusedSources = new Set(record.refusedSources)
    const pool = createBlockPool({
      given: () => record.sources,
      others: parts.onlinePeers,
      open: parts.open,
      refused: refusedSources,
      now,
      restMs: REST_MS,
      onRefused: (peer) => {
        refusedSources.add(peer)
        log.warn(`${parts.nameOf(peer)} sent a block that does not match: refused, and asked of somebody else`)
        store.update(cid, (current) => ({ ...current, refusedSources: [...refusedSources] })).catch(() => undefined)
        transfers.report(cid, { refusedSources: [...refusedSources] })
      },
      onSources: (active) => {
        for (const peer of active) contributors.add(peer)
        transfers.report(cid, {
          state: active.length > 0 ? 'fetching' : 'waiting',
          sources: [...contributors].filter((peer) => !refusedSources.has(peer)),
          ...(active.length === 0 && { bytesPerSecond: 0 }),
        })
      },
    })
    job.pool = pool
    job.stop.signal.addEventListener('abort', () => pool.stop(new FootbridgeError('aborted', 'the transfer was stopped')), { once: true })
    transfers.report(cid, { state: 'waiting', bytesTotal: record.size, error: undefined })
    try {
      const onProgress = (bytesDone: number): void => transfers.report(cid, { bytesDone, bytesPerSecond: speed(bytesDone) })
      await fetchBlob(record, { store, pool, signal: job.stop.signal, onProgress })
      log.info(`Received ${record.name || cid}`)
      transfers.report(cid, { state: 'complete', bytesDone: record.size, bytesPerSecond: 0 })
      parts.onComplete(cid)
    } catch (error) {
      if (job.stop.signal.aborted) return
      const code = error instanceof FootbridgeError ? error.code : 'internal'
      log.warn(`${record.name || cid} cannot be received: ${code}`)
      // Kept as paused, so that it does not fail anew at each start; the person may try again.
      await store.update(cid, (current) => ({ ...current, state: 'paused' }))
      transfers.report(cid, { state: 'failed', error: code, bytesPerSecond: 0 })
    } finally {
      pool.stop(new FootbridgeError('aborted', 'the transfer has ended'))
    }
  }

  const halt = async (cid: string): Promise<void> => {
    const position = queued.findIndex((offer) => offer.cid === cid)
    if (position !== -1) queued.splice(position, 1)
    const job = jobs.get(cid)
    job?.stop.abort()
    await job?.ended
  }

  return {
    async start(offer, sources) {
      CID.parse(offer.cid)
      const record = await store.get(offer.cid)
      if (record?.state === 'complete') return transfers.reload(offer.cid)
      const allSources = [...new Set([...sources, ...(record?.sources ?? [])])]
      if (record) await store.update(offer.cid, (current) => ({ ...current, state: 'fetching', sources: allSources }))
      else
        await store.put({
          ...offer,
          state: 'fetching',
          leaves: [],
          nodes: [],
          sources: allSources,
          refusedSources: [],
          addedAt: now(),
        })
      const job = jobs.get(offer.cid)
      if (job) job.pool?.pump(true)
      else launch(offer)
    },
    async pause(cid) {
      await store.update(cid, (current) => (current.state === 'fetching' ? { ...current, state: 'paused' } : current))
      await halt(cid)
      transfers.report(cid, { state: 'paused', bytesPerSecond: 0 })
    },
    drop: halt,
    async resumeAll() {
      for (const record of await store.list()) if (record.state === 'fetching') launch(record)
    },
    sourcesChanged() {
      for (const job of jobs.values()) job.pool?.pump(true)
    },
    pathChanged(peer) {
      for (const job of jobs.values()) job.pool?.renew(peer)
    },
    async stop() {
      stopped = true
      queued.length = 0
      for (const job of jobs.values()) job.stop.abort()
      await Promise.allSettled([...jobs.values()].map((job) => job.ended))
    },
  }
}

/** Bytes per second over the last SPEED_WINDOW_MS; 0 until there is a second to judge by. */
function createSpeed(now: () => number): (bytesDone: number) => number {
  const samples: { at: number; bytesDone: number }[] = []
  return (bytesDone) => {
    const at = now()
    samples.push({ at, bytesDone })
    while (samples.length > 2 && samples[0] !== undefined && samples[0].at < at - SPEED_WINDOW_MS) samples.shift()
    const first = samples[0]
    if (first === undefined || at - first.at < MIN_SPEED_WINDOW_MS) return 0
    return Math.round(((bytesDone - first.bytesDone) * 1000) / (at - first.at))
  }
}
