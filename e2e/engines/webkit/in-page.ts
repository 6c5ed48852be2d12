/**
 * What stands in a document so that values and elements can be named from outside, as WebDriver BiDi names them. The function is sent as its text, by the
 * automation, which no content security policy keeps out; it uses nothing from outside itself.
 * Not here: when it is sent, and what is asked of it (tab.ts).
 */

/** A value of WebDriver BiDi, going in or coming out. */
export interface RemoteValue {
  readonly type?: string
  readonly value?: unknown
  readonly handle?: string
  readonly sharedId?: string
}

export interface Answer {
  readonly type: 'success' | 'exception'
  readonly result?: RemoteValue
  readonly exceptionDetails?: { readonly text: string }
}

export interface Step {
  /** Ends the wait for a promise at most so late; the call is then asked for again. */
  readonly answer?: Answer
}

export interface InPage {
  readonly id: string
  readonly lines: { readonly level: string; readonly text: string; readonly isError: boolean }[]
  /** Gives texts a meaning that nobody has to evaluate. */
  knows(texts: Readonly<Record<string, () => unknown>>): void
  begin(call: number, run: (resolve: (value: RemoteValue) => unknown) => unknown, byHandle: boolean, awaits: boolean): Promise<Step>
  poll(call: number): Promise<Step>
  element(sharedId: string): unknown
}

export function install(id: string): void {
  const WAIT_MS = 40
  const handles = new Map<string, unknown>()
  const calls = new Map<number, Promise<Answer>>()
  const lines: InPage['lines'] = []
  const known = new Map<string, () => unknown>()
  let last = 0

  function resolve(remote: RemoteValue): unknown {
    const name = remote.handle ?? remote.sharedId
    if (name !== undefined) {
      if (!handles.has(name)) throw new Error(`no such handle: ${name}`)
      return handles.get(name)
    }
    switch (remote.type) {
      case 'undefined':
        return undefined
      case 'null':
        return null
      case 'number':
        return Number(remote.value)
      case 'bigint':
        return BigInt(String(remote.value))
      case 'date':
        return new Date(String(remote.value))
      case 'regexp': {
        const { pattern, flags } = remote.value as { pattern: string; flags?: string }
        return new RegExp(pattern, flags)
      }
      case 'array':
        return (remote.value as RemoteValue[]).map(resolve)
      case 'object':
        return Object.fromEntries(
          (remote.value as [RemoteValue | string, RemoteValue][]).map(([key, value]) => [
            typeof key === 'string' ? key : String(resolve(key)),
            resolve(value),
          ]),
        )
      default:
        return remote.value
    }
  }

  function typeOf(value: object): string {
    if (typeof value === 'function') return 'function'
    if (value instanceof Node) return 'node'
    if (value instanceof Window) return 'window'
    if (Array.isArray(value)) return 'array'
    if (value instanceof Error) return 'error'
    if (value instanceof Promise) return 'promise'
    return 'object'
  }

  function describe(value: unknown, byHandle: boolean): RemoteValue {
    if (value === null) return { type: 'null' }
    switch (typeof value) {
      case 'undefined':
        return { type: 'undefined' }
      case 'number':
        return {
          type: 'number',
          value: Number.isFinite(value) && !Object.is(value, -0) ? value : Object.is(value, -0) ? '-0' : String(value),
        }
      case 'string':
      case 'boolean':
        return { type: typeof value, value }
      case 'bigint':
        return { type: 'bigint', value: String(value) }
      case 'symbol':
        return { type: 'symbol' }
      default:
    }
    const type = typeOf(value as object)
    if (byHandle || type === 'node' || type === 'function') {
      const handle = `${id}.${++last}`
      handles.set(handle, value)
      return { type, handle, ...(type === 'node' && { sharedId: handle, value: { localName: (value as Element).localName } }) }
    }
    if (type === 'array') return { type, value: (value as unknown[]).map((item) => describe(item, false)) }
    if (type === 'object') return { type, value: Object.entries(value as object).map(([key, item]) => [key, describe(item, false)]) }
    return { type }
  }

  function failure(error: unknown): Answer {
    const { name = 'Error', message = String(error), stack = '' } = (error ?? {}) as Partial<Error>
    return { type: 'exception', exceptionDetails: { text: `${name}: ${message}\n${stack}` } }
  }

  /** The answer if it is there in a moment, else nothing yet: one window's call must not hold up the others. */
  function soon(call: number): Promise<Step> {
    const answer = calls.get(call)
    if (answer === undefined) return Promise.resolve({ answer: failure(new Error('no such call')) })
    const ready = answer.then((value): Step => ({ answer: value }))
    return Promise.race([ready, new Promise<Step>((later) => setTimeout(later, WAIT_MS, {}))]).then((step) => {
      if (step.answer !== undefined) calls.delete(call)
      return step
    })
  }

  for (const level of ['debug', 'log', 'info', 'warn', 'error'] as const) {
    const original = console[level].bind(console)
    console[level] = (...args: unknown[]) => {
      const text = args.map((item) =>
        item instanceof Error ? `${item.message}\n${item.stack ?? ''}` : typeof item === 'string' ? item : JSON.stringify(item),
      )
      if (lines.length < 1000) lines.push({ level, text: text.join(' '), isError: false })
      original(...args)
    }
  }
  const uncaught = (error: unknown): void =>
    void lines.push({ level: 'error', text: failure(error).exceptionDetails?.text ?? '', isError: true })
  addEventListener('error', (event) => uncaught(event.error ?? event.message))
  addEventListener('unhandledrejection', (event) => uncaught(event.reason))

  // A page whose content security policy forbids eval() keeps its policy: what the automation evaluates was compiled on the way here (compiled.ts).
  // oxlint-disable-next-line no-eval
  const evaluate = globalThis.eval
  // oxlint-disable-next-line no-eval
  globalThis.eval = (text: string) => (known.get(text) ?? (() => evaluate(text)))()

  const inPage: InPage = {
    id,
    lines,
    knows(texts) {
      if (known.size > 1000) known.clear()
      for (const [text, meaning] of Object.entries(texts)) known.set(text, meaning)
    },
    begin(call, run, byHandle, awaits) {
      const work = async (): Promise<Answer> => {
        try {
          const value = run(resolve)
          return { type: 'success', result: describe(awaits ? await value : value, byHandle) }
        } catch (error) {
          return failure(error)
        }
      }
      calls.set(call, work())
      return soon(call)
    },
    poll: soon,
    element: (sharedId) => handles.get(sharedId),
  }
  Object.defineProperty(document, '__bidi', { value: inPage })
}
