/**
 * A network and a bridge for the timelines, on the clock of the test, with the properties that matter: a cut swallows packets and kills what was open without a
 * word, a dial sends a SYN at once and after 1, 3 and 7 s, a bridge that is stopped refuses, one that started anew knows no session.
 * Not here: what is asked of it (timelines.test.ts).
 */
import { FootbridgeError } from '@footbridge/shared/errors'
import type { SessionAnswer } from '@footbridge/shared/login'
import type { ConnectionState, FirstHop } from '../api.ts'
import { vi } from 'vitest'
import { createLog } from '../log.ts'
import { writable } from '../observable.ts'
import { createSupervisor, type SupervisorHandle } from './supervisor.ts'
import { createWatch, type Watch } from './watch.ts'

export const HOUR_MS = 60 * 60_000
const RTT_MS = 50
const SYN_AT_MS = [0, 1_000, 3_000, 7_000]
const HOP: FirstHop = { kind: 'websocket', address: '/ip4/127.0.0.1/tcp/1/ws', rttMs: undefined }

interface Link {
  /** Packets go both ways. False for ever once a cut or an end met it. */
  works: boolean
  heard: { at: number; times: number }
}

/** A device, its network and its bridge. */
export class World implements Disposable {
  isCut = false
  isUp = true
  /** Which start of the bridge: sessions and reservations do not outlive it. */
  boot = 1
  links: Link[] = []
  /** Where the bridge sends who wants to reach this device. */
  reserved: { readonly link: Link; readonly boot: number } | undefined
  logins = 0
  readonly connection = writable<ConnectionState>({ state: 'out' })
  readonly supervisor: SupervisorHandle
  readonly watch: Watch

  constructor(chance: number) {
    const random = (): number => chance
    const now = (): number => Date.now()
    this.supervisor = createSupervisor({
      work: {
        login: (_, signal) => this.login(signal),
        dial: (_, fresh, signal) => this.dial(fresh, signal),
        reserve: (session, signal) => this.reserve(session, signal),
        hangUp: async () => this.closeAll(),
        checkLink: () => this.watch.hurry(),
        online: () => undefined,
      },
      connection: this.connection,
      log: createLog(now),
      now,
      random,
    })
    this.watch = createWatch({
      clocks: () => ({ wall: now(), steady: performance.now() }),
      random,
      heard: () => (this.supervisor.session() === undefined ? undefined : this.links.at(-1)?.heard),
      ask: () => this.ask(),
      onDoubt: () => this.supervisor.doubted(),
      onHeard: () => this.supervisor.heard(),
      onDead: () => {
        this.closeAll()
        this.supervisor.lost()
      },
      onSlept: () => this.supervisor.wake(),
      onSetBack: () => this.supervisor.clockSetBack(),
    })
  }

  get isReserved(): boolean {
    return this.reserved?.link.works === true && this.reserved.boot === this.boot && this.isUp && !this.isCut
  }

  /** How long until the bridge can reach this device. */
  async msUntilReserved(): Promise<number> {
    const from = performance.now()
    while (!this.isReserved && performance.now() - from < 60_000) await vi.advanceTimersByTimeAsync(10)
    return performance.now() - from
  }

  cut(): void {
    this.isCut = true
    for (const link of this.links) link.works = false
  }

  /** Who has a link sees it end, unless the network swallows that too. */
  stopBridge(): void {
    this.isUp = false
    this.closeAll()
    this.supervisor.lost()
  }

  startBridge(): void {
    this.isUp = true
    this.boot++
  }

  [Symbol.dispose](): void {
    this.watch.stop()
    void this.supervisor.stop()
  }

  private closeAll(): void {
    for (const link of this.links) link.works = false
    this.links = []
  }

  /** Ends when packets have gone there and back. */
  private async roundTrip(signal: AbortSignal, link?: Link): Promise<void> {
    await pause(RTT_MS, signal)
    if (this.isCut || link?.works === false) await new Promise((_, reject) => whenAborted(signal, reject))
    if (!this.isUp) throw new FootbridgeError('unreachable', 'refused')
  }

  private async login(signal: AbortSignal): Promise<SessionAnswer> {
    await this.roundTrip(signal)
    this.logins++
    return session(this.boot)
  }

  private async dial(fresh: boolean, signal: AbortSignal): Promise<FirstHop> {
    if (this.links.length > 0 && !fresh) return HOP
    const startedAt = performance.now()
    for (const synAt of SYN_AT_MS) {
      await pause(startedAt + synAt - performance.now(), signal)
      if (this.isCut) continue
      await this.roundTrip(signal)
      const link = { works: true, heard: { at: performance.now(), times: 0 } }
      this.closeAll()
      this.links = [link]
      this.watch.reset()
      return HOP
    }
    throw new FootbridgeError('unreachable', 'no answer to any SYN')
  }

  private async reserve(given: SessionAnswer, signal: AbortSignal): Promise<number> {
    const link = this.links.at(-1)
    if (link === undefined) throw new FootbridgeError('unreachable', 'no link')
    await this.roundTrip(signal, link)
    if (given.accessToken !== String(this.boot)) throw new FootbridgeError('unauthorized', 'no such session')
    this.reserved = { link, boot: this.boot }
    return HOUR_MS
  }

  private async ask(): Promise<void> {
    const link = this.links.at(-1)
    if (link === undefined) throw new FootbridgeError('unreachable', 'no link')
    await this.roundTrip(new AbortController().signal, link)
    link.heard = { at: performance.now(), times: link.heard.times + 1 }
  }
}

function session(boot: number): SessionAnswer {
  const limits = { expiresAt: null, devices: null, bytesPerDay: null, bytesPerSecond: null }
  return {
    peer: 'alice',
    bridge: { peer: 'bridge', name: 'Bridge', version: '1' },
    accessToken: String(boot),
    serverTime: 0,
    expiresAt: HOUR_MS,
    firstHops: [],
    relayAddresses: [],
    iceServers: [],
    token: { id: 't', label: '', guest: false, limits },
  }
}

function whenAborted(signal: AbortSignal, act: (reason: unknown) => void): void {
  if (signal.aborted) act(signal.reason)
  else signal.addEventListener('abort', () => act(signal.reason), { once: true })
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    setTimeout(resolve, Math.max(0, ms))
    whenAborted(signal, reject)
  })
}
