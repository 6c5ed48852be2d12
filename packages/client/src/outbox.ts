/**
 * Sends what waits: for each peer one message stream on its best path, messages in order, answers awaited, tried again on the next path.
 * A message is `sent` once written and `delivered` once the other side has stored it; without an answer it waits again, and its id keeps it single.
 */
import { MESSAGE_PROTOCOL } from '@footbridge/shared/protocol-ids'
import type { Connection } from '@libp2p/interface'
import { createMessageSender, type MessageSender, type OutgoingFrame } from '@footbridge/protocols/message/message-sender'
import type { Message, Profile } from './api.ts'
import type { KeptConversations } from './conversations.ts'
import type { Log } from './log.ts'
import type { Paths } from './paths/paths.ts'
import type { People } from './people.ts'
import type { MessageStore } from './store/messages.ts'

const OPEN_TIMEOUT_MS = 15_000
/** Unanswered messages on one stream: enough to fill a slow path, few enough to send again. */
const WINDOW = 8
const FIRST_RETRY_MS = 2_000
const MAX_RETRY_MS = 60_000
/** After a failure during which the path changed. */
const AGAIN_MS = 250

export interface OutboxParts {
  readonly paths: Pick<Paths, 'connection' | 'watch'>
  readonly messages: MessageStore
  readonly conversations: Pick<KeptConversations, 'setStatus'>
  readonly people: People
  readonly log: Log
  readonly profile: () => Profile
  /**
   * A sender to a peer that does not speak our message protocol: `refused`, as it has just said, else as is known of it. Undefined: it speaks ours, for
   * all that is known, or none that we know.
   */
  readonly otherSender?: (connection: Connection, refused: boolean) => Promise<MessageSender | undefined>
}

interface Line {
  sender: { readonly stream: MessageSender; readonly connection: Connection } | undefined
  running: boolean
  again: boolean
  failures: number
  timer: ReturnType<typeof setTimeout> | undefined
}

export interface Outbox {
  /** Something waits for this peer, or they can be reached (again, or better). */
  kick(peer: string): void
  /** At the start and after coming back online. */
  kickAll(): Promise<void>
  stop(): void
}

export function createOutbox({ paths, messages, conversations, people, log, profile, otherSender }: OutboxParts): Outbox {
  const lines = new Map<string, Line>()
  let stopped = false

  const lineOf = (peer: string): Line => {
    const known = lines.get(peer)
    if (known) return known
    const line: Line = { sender: undefined, running: false, again: false, failures: 0, timer: undefined }
    lines.set(peer, line)
    return line
  }

  const openSender = async (connection: Connection): Promise<MessageSender> => {
    const known = await otherSender?.(connection, false)
    if (known) return known
    const options = { signal: AbortSignal.timeout(OPEN_TIMEOUT_MS), runOnLimitedConnection: true }
    try {
      const stream = await connection.newStream(MESSAGE_PROTOCOL, options)
      paths.watch(stream, connection)
      return createMessageSender(stream)
    } catch (error) {
      const speaksOther = error instanceof Error && error.name === 'UnsupportedProtocolError'
      const other = speaksOther ? await otherSender?.(connection, true) : undefined
      if (other === undefined) throw error
      return other
    }
  }

  const senderFor = async (peer: string, line: Line): Promise<MessageSender> => {
    const connection = await paths.connection(peer)
    if (line.sender?.stream.open === true && line.sender.connection === connection) return line.sender.stream
    line.sender?.stream.close()
    line.sender = undefined
    const sender = await openSender(connection)
    line.sender = { stream: sender, connection }
    const { name, picture } = profile()
    if (name !== '' || picture !== undefined) await sender.profile({ type: 'profile', name, ...(picture !== undefined && { picture }) })
    return sender
  }

  const sendAll = async (peer: string, line: Line): Promise<void> => {
    for (;;) {
      const waiting = await messages.pending(peer)
      if (waiting.length === 0 || stopped) return
      const sender = await senderFor(peer, line)
      const results = await Promise.allSettled(waiting.slice(0, WINDOW).map((message) => sendOne(peer, sender, message)))
      const failure = results.find((result) => result.status === 'rejected')
      if (failure) throw failure.reason
      line.failures = 0
    }
  }

  const sendOne = async (peer: string, sender: MessageSender, message: Message): Promise<void> => {
    // Written strictly before answered, so that `sent` never overtakes `delivered`.
    let written: Promise<void> = Promise.resolve()
    try {
      const answer = await sender.send(toFrame(message), () => {
        written = conversations.setStatus(peer, message.id, 'sent')
      })
      await written
      await conversations.setStatus(peer, message.id, answer.kind === 'delivered' ? 'delivered' : 'refused')
      if (answer.kind === 'refused') log.warn(`${people.nameOf(peer)} refused a message: ${answer.reason}`)
    } catch (error) {
      await written
      await conversations.setStatus(peer, message.id, 'waiting')
      throw error
    }
  }

  const run = async (peer: string, line: Line): Promise<void> => {
    line.running = true
    clearTimeout(line.timer)
    try {
      do {
        line.again = false
        await sendAll(peer, line)
      } while (line.again)
    } catch {
      line.failures++
      const delayMs = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(line.failures - 1, 5))
      // Somebody who is away is waited for: their coming kicks the line.
      if (stopped) return
      if (line.again) line.timer = setTimeout(() => kick(peer), AGAIN_MS)
      else if (people.get(peer)?.online === true) line.timer = setTimeout(() => kick(peer), delayMs)
    } finally {
      line.running = false
    }
  }

  const kick = (peer: string): void => {
    if (stopped) return
    const line = lineOf(peer)
    if (line.running) line.again = true
    else void run(peer, line)
  }

  return {
    kick,
    async kickAll() {
      for (const peer of await messages.peersWithPending()) kick(peer)
    },
    stop() {
      stopped = true
      for (const line of lines.values()) {
        clearTimeout(line.timer)
        line.sender?.stream.close()
      }
      lines.clear()
    },
  }
}

function toFrame({ id, at, body }: Message): OutgoingFrame {
  return body.kind === 'text' ? { type: 'text', id, at, text: body.text } : { type: 'file', id, at, ...body.file }
}
