/**
 * The way in: what stands in the field, the steps as they happen, and what went wrong at which.
 * Not here: the steps themselves (the SDK), the words (lib/words/errors.ts).
 */
import type { ArrivalStep, Footbridge } from '@footbridge/client/api'
import { isFootbridgeError } from '@footbridge/shared/errors'
import { parseLogin } from '@footbridge/shared/bridge-token'
import { sentenceForError } from '../words/errors.ts'
import { m } from '../paraglide/messages.js'
import type { App } from './app.svelte.ts'

export const ARRIVAL_STEPS = ['reaching', 'proving', 'reserving'] as const satisfies readonly ArrivalStep[]

const NETWORK_CODES = ['unreachable', 'timeout', 'not_a_bridge', 'unavailable', 'clock_skew'] as const

/** How long the three done steps stay to be read. */
const LINGER_MS = 700

export type StepView =
  | { readonly step: ArrivalStep; readonly state: 'ahead' | 'failed' }
  | { readonly step: ArrivalStep; readonly state: 'now'; readonly startedAt: number }
  | { readonly step: ArrivalStep; readonly state: 'done'; readonly ms: number }

export class Arrival {
  field = $state('')
  #busy = $state(false)
  #started = $state(false)
  #trouble = $state<string | undefined>(undefined)
  #isOfNetwork = $state(false)
  #elsewhere = $state<string | undefined>(undefined)
  #lastStep: ArrivalStep = 'reaching'
  #failedAt = $state<ArrivalStep | undefined>(undefined)
  #doneBefore = $state.raw<readonly { step: ArrivalStep; ms: number }[]>([])
  readonly #app: App
  readonly #client: Footbridge
  readonly #origin: string

  constructor(app: App, origin: string) {
    this.#app = app
    this.#client = app.client
    this.#origin = origin
  }

  get busy(): boolean {
    return this.#busy
  }

  /** One sentence about the last failure, or undefined. */
  get trouble(): string | undefined {
    return this.#trouble
  }

  /** The last failure may lie in the network rather than in the token: a check-up tells more. */
  get isOfNetwork(): boolean {
    return this.#isOfNetwork
  }

  /** The bridge that a pasted link belongs to, when it is not this one. */
  get elsewhere(): string | undefined {
    return this.#elsewhere
  }

  /** The three steps, or none before the first try. */
  get steps(): readonly StepView[] {
    if (!this.#started) return []
    const connection = this.#app.connection
    const done = connection.state === 'arriving' || connection.state === 'online' ? connection.done : this.#doneBefore
    return ARRIVAL_STEPS.map((step): StepView => {
      const finished = done.find((each) => each.step === step)
      if (finished !== undefined) return { step, state: 'done', ms: finished.ms }
      if (this.#failedAt === step) return { step, state: 'failed' }
      if (connection.state === 'arriving' && connection.step === step) return { step, state: 'now', startedAt: connection.stepStartedAt }
      return { step, state: 'ahead' }
    })
  }

  /** Takes a pasted, scanned or opened text. */
  async enterWith(text: string): Promise<void> {
    const login = parseLogin(text)
    this.field = login?.token ?? text.trim()
    this.#elsewhere = undefined
    if (login === undefined) {
      this.#trouble = text.trim() === '' ? m.arrive_field_empty() : m.arrive_field_malformed()
      return
    }
    // The whole link goes to the SDK: it may belong to another bridge.
    const entered = await this.#enter({ token: text.trim() })
    if (entered || login.origin === undefined || login.origin === this.#origin) return
    this.#elsewhere = text.trim()
  }

  async enterAsGuest(): Promise<void> {
    await this.#enter({ guest: true })
  }

  /** The device enrolled before: after a logout, or when the page was opened. */
  async enterAgain(): Promise<void> {
    await this.#enter({ device: true })
  }

  /** @returns true when this device is online. */
  async #enter(credential: Parameters<Footbridge['login']>[0]): Promise<boolean> {
    if (this.#busy) return false
    this.#busy = true
    this.#started = true
    this.#trouble = undefined
    this.#isOfNetwork = false
    this.#failedAt = undefined
    this.#doneBefore = []
    this.#app.holdArrive()
    const stop = this.#client.connection.subscribe((connection) => {
      if (connection.state !== 'arriving') return
      this.#doneBefore = connection.done
      this.#lastStep = connection.step
    })
    try {
      await this.#client.login(credential)
      // A secret has no business in a field any longer than needed.
      this.field = ''
      await new Promise((resolve) => setTimeout(resolve, LINGER_MS))
      this.#app.entered()
      this.#started = false
      return true
    } catch (error) {
      this.#app.noteFailure(error)
      this.#failedAt = this.#lastStep
      this.#trouble = sentenceForError(error)
      this.#isOfNetwork = NETWORK_CODES.some((code) => isFootbridgeError(error, code))
      this.#app.arrivalFailed()
      return false
    } finally {
      stop()
      this.#busy = false
    }
  }
}
