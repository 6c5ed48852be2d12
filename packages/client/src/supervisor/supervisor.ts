/**
 * Drives the supervisor's state machine: runs its effects, feeds it what happens, and shows the app how this device stands with its bridge.
 * Not here: what a login or a dial is; they come in as functions.
 */
import { FootbridgeError, type ErrorCode } from '@footbridge/shared/errors'
import type { SessionAnswer } from '@footbridge/shared/login'
import type { ArrivalStep, ConnectionState, FirstHop, StepTime } from '../api.ts'
import type { Log } from '../log.ts'
import type { Writable } from '../observable.ts'
import {
  decide,
  nextTickAt,
  START,
  type LoginKind,
  type Supervisor,
  type SupervisorEffect,
  type SupervisorEvent,
} from './supervisor-state.ts'

/** setTimeout's own limit is 2^31 - 1; a tick too early does no harm. */
const MAX_TIMER_MS = 60 * 60_000

export interface SupervisorWork {
  login(kind: LoginKind, signal: AbortSignal): Promise<SessionAnswer>
  /**
   * Several may run at a time. `fresh`: opens a link although there is one, and leaves that one once the new one is open.
   * `session`: undefined when the link comes first, because a login is to follow.
   */
  dial(session: SessionAnswer | undefined, fresh: boolean, signal: AbortSignal): Promise<FirstHop>
  /** @returns how long the reservation lasts, in milliseconds. */
  reserve(session: SessionAnswer, signal: AbortSignal): Promise<number>
  hangUp(): Promise<void>
  /** Looks whether the bridge still answers; calls `doubted` when not. */
  checkLink(): void
  /** Reachable: at each change to `online`. */
  online(session: SessionAnswer): void
}

export interface SupervisorParts {
  readonly work: SupervisorWork
  readonly connection: Writable<ConnectionState>
  readonly log: Log
  readonly now: () => number
  readonly random: () => number
}

export interface SupervisorHandle {
  /** Resolves once online. @throws FootbridgeError the reason, when it ends `out` instead */
  start(kind: LoginKind): Promise<void>
  lost(): void
  doubted(): void
  heard(): void
  /** The link is another one now, and needs a reservation. */
  moved(hop: FirstHop): void
  draining(reconnectInMs: number, awayMs: number | null): void
  sessionLost(): void
  wake(): void
  clockSetBack(): void
  firstHop(hop: FirstHop): void
  /** The session while there is one. */
  session(): SessionAnswer | undefined
  /** Neither in nor on the way in. */
  isOut(): boolean
  /** Idempotent. */
  stop(reason?: ErrorCode): Promise<void>
}

const STEP_OF = { login: 'reaching', dial: 'proving', reserve: 'reserving' } as const satisfies Record<string, ArrivalStep>

export function createSupervisor(parts: SupervisorParts): SupervisorHandle {
  const { work, connection, log, now, random } = parts
  let current: Supervisor = START
  let timer: ReturnType<typeof setTimeout> | undefined
  let running = new AbortController()
  let hop: FirstHop | undefined
  let done: StepTime[] = []
  let stepStartedAt = now()
  let wasOnline = false
  let hangingUp: Promise<void> = Promise.resolve()
  let waiters: PromiseWithResolvers<void>[] = []

  const feed = (event: SupervisorEvent): void => {
    const before = current
    const { next, effects } = decide(current, event, { now: now(), random: random() })
    current = next
    if (next.run !== before.run) running.abort()
    if (next.run !== before.run) running = new AbortController()
    if (before !== next) show(before, next)
    clearTimeout(timer)
    const tickAt = nextTickAt(next)
    if (tickAt !== undefined) timer = setTimeout(() => feed({ type: 'tick' }), Math.min(MAX_TIMER_MS, Math.max(0, tickAt - now())))
    for (const effect of effects) run(effect, running.signal)
  }

  const run = (effect: SupervisorEffect, signal: AbortSignal): void => {
    switch (effect.type) {
      case 'login':
        return attempt(effect.run, async () => {
          const kind = current.state === 'login' ? current.kind : 'device'
          const session = await work.login(kind, signal)
          feed({ type: 'loggedIn', run: effect.run, session })
        })
      case 'dial':
        return attempt(effect.run, async () => {
          if (current.state !== 'dial' && current.state !== 'online') return
          const timeout = AbortSignal.timeout(effect.deadlineMs)
          const reached = await work.dial(current.session, effect.fresh, AbortSignal.any([signal, timeout]))
          if (effect.run === current.run) hop = reached
          feed({ type: 'dialled', run: effect.run })
        })
      case 'reserve':
        return attempt(effect.run, async () => {
          if (current.state !== 'reserve') return
          feed({ type: 'reserved', run: effect.run, ttlMs: await work.reserve(current.session, signal) })
        })
      case 'renew':
        work.login('device', signal).then(
          (session) => feed({ type: 'renewed', session }),
          (error: unknown) => feed({ type: 'renewFailed', code: codeOf(error) }),
        )
        return
      case 'refresh':
        if (current.state !== 'online') return
        work.reserve(current.session, signal).then(
          (ttlMs) => feed({ type: 'refreshed', ttlMs }),
          (error: unknown) => {
            // Called off, as by a doubt: that says nothing of the link.
            if (!signal.aborted) feed(codeOf(error) === 'unauthorized' ? { type: 'sessionLost' } : { type: 'lost' })
          },
        )
        return
      case 'checkLink':
        return work.checkLink()
      case 'hangUp':
        hangingUp = work.hangUp().catch(() => undefined)
    }
  }

  const attempt = (run: number, action: () => Promise<void>): void => {
    action().catch((error: unknown) => {
      const retryAfter = error instanceof FootbridgeError ? error.details.retryAfterSeconds : undefined
      feed({ type: 'failed', run, code: codeOf(error), retryAfterMs: retryAfter === undefined ? undefined : retryAfter * 1000 })
    })
  }

  /** From the machine's state to what a person sees. */
  const show = (before: Supervisor, next: Supervisor): void => {
    switch (next.state) {
      case 'out':
        if (before.state !== 'out' && next.reason !== undefined) log.warn(`No longer reachable through the bridge: ${next.reason}`)
        wasOnline = false
        settle(new FootbridgeError(next.reason ?? 'aborted', 'the login did not succeed'))
        return connection.set({ state: 'out', ...(next.reason !== undefined && { reason: next.reason }) })
      case 'login':
      case 'dial':
      case 'reserve': {
        const at = now()
        if (before.state === next.state) {
          if (wasOnline && next.state === 'dial')
            connection.set({ state: 'away', code: next.code, attempt: next.seek.tries, retryAt: next.seek.tryAt })
          return
        }
        if (before.state in STEP_OF && next.state !== 'login')
          done = [...done, { step: STEP_OF[before.state as keyof typeof STEP_OF], ms: Math.round(at - stepStartedAt) }]
        else done = []
        stepStartedAt = at
        // Coming back after a loss is `away`, which says when; the steps are for somebody who waits to come in.
        if (!wasOnline) connection.set({ state: 'arriving', step: STEP_OF[next.state], stepStartedAt, done })
        else if (next.state === 'dial') {
          if (before.state === 'online') log.warn(`Not reachable (${next.code}), looking for the bridge`)
          connection.set({ state: 'away', code: next.code, attempt: next.seek.tries, retryAt: next.seek.tryAt })
        }
        return
      }
      case 'waiting':
        log.warn(`Not reachable (${next.code}), next try in ${Math.max(1, Math.round((next.retryAt - now()) / 1000))} s`)
        return connection.set({ state: 'away', code: next.code, attempt: next.attempt, retryAt: next.retryAt })
      case 'online':
        if (hop === undefined) return
        if (before.state !== 'online') {
          done = [...done, { step: 'reserving', ms: Math.round(now() - stepStartedAt) }]
          wasOnline = true
          log.info(
            `Reachable through ${next.session.bridge.name || 'the bridge'} in ${Math.round(done.reduce((sum, each) => sum + each.ms, 0))} ms`,
          )
        }
        connection.set({ state: 'online', session: next.session, firstHop: hop, done })
        if (before.state !== 'online') work.online(next.session)
        settle(undefined)
    }
  }

  const settle = (error: FootbridgeError | undefined): void => {
    const settled = waiters
    waiters = []
    for (const waiter of settled) {
      if (error) waiter.reject(error)
      else waiter.resolve()
    }
  }

  return {
    start(kind) {
      const waiter = Promise.withResolvers<void>()
      if (kind === 'device' && current.state === 'online') waiter.resolve()
      else {
        // A start while another runs takes its place; who waited for that one gets this one's end.
        waiters.push(waiter)
        if (kind === 'given') wasOnline = false
        const isUnderway = current.state !== 'out' && current.state !== 'waiting'
        if (kind === 'device' && (current.state === 'waiting' || current.state === 'dial')) feed({ type: 'wake' })
        else if (kind === 'given' || !isUnderway) feed({ type: 'start', kind })
      }
      return waiter.promise
    },
    lost: () => feed({ type: 'lost' }),
    doubted: () => feed({ type: 'doubted' }),
    heard: () => feed({ type: 'heard' }),
    moved(next) {
      hop = next
      feed({ type: 'moved' })
    },
    draining: (reconnectInMs, awayMs) => feed({ type: 'draining', reconnectInMs, awayMs }),
    sessionLost: () => feed({ type: 'sessionLost' }),
    wake: () => feed({ type: 'wake' }),
    clockSetBack: () => feed({ type: 'clockSetBack' }),
    firstHop(next) {
      hop = next
      if (current.state === 'online') connection.set({ state: 'online', session: current.session, firstHop: next, done })
    },
    isOut: () => current.state === 'out',
    session: () => ('session' in current ? current.session : undefined),
    async stop(reason) {
      if (current.state !== 'out') feed({ type: 'stop', reason })
      clearTimeout(timer)
      await hangingUp
    },
  }
}

function codeOf(error: unknown): ErrorCode {
  if (error instanceof FootbridgeError) return error.code
  return 'unreachable'
}
