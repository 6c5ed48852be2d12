/**
 * Conversations as the app sees them: kept first, then sent. Everything here works without a network; the outbox takes over from `onOutgoing`.
 */
import { FootbridgeError } from '@footbridge/shared/errors'
import { MAX_FILE_NAME_LENGTH, MAX_TEXT_LENGTH } from '@footbridge/shared/limits'
import type { Conversations, Message } from './api.ts'
import type { Imports } from './imports.ts'
import { writable, type Writable } from './observable.ts'
import type { People } from './people.ts'
import type { MessageStore } from './store/messages.ts'

/** Conversations that stay in memory while nobody looks at them. */
const MAX_IDLE_CONVERSATIONS = 20

export interface ConversationsParts {
  readonly messages: MessageStore
  readonly people: People
  readonly now: () => number
  readonly imports: Pick<Imports, 'of' | 'run' | 'cancel'>
  /** A message waits for the outbox. */
  readonly onOutgoing: (peer: string) => void
  /** Something was written, for the other tabs. */
  readonly onChange: (peer: string) => void
}

export interface KeptConversations extends Conversations {
  /** @returns false when it was here already. @throws FootbridgeError `storage_full` */
  receive(message: Message): Promise<boolean>
  setStatus(peer: string, id: string, status: Message['status']): Promise<void>
  /** Another tab wrote. */
  reload(peer: string): Promise<void>
  clear(): void
}

export function createConversations(parts: ConversationsParts): KeptConversations {
  const { messages, people, now, onChange } = parts
  const open = new Map<string, Writable<readonly Message[]>>()

  const load = async (peer: string, list: Writable<readonly Message[]>): Promise<void> => {
    list.set(await messages.list(peer))
  }

  const trim = (): void => {
    for (const [peer, list] of open) {
      if (open.size <= MAX_IDLE_CONVERSATIONS) return
      if (list.listeners === 0) open.delete(peer)
    }
  }

  /** Puts the message into the open list, keeping its order. */
  const show = async (message: Message, unread: boolean): Promise<void> => {
    const list = open.get(message.peer)
    if (list) {
      const others = list.get().filter((other) => other.id !== message.id)
      const at = others.findLastIndex((other) => other.at <= message.at)
      const before = list.get().findIndex((other) => other.id === message.id)
      list.set(before === -1 ? others.toSpliced(at + 1, 0, message) : list.get().with(before, message))
    }
    await people.messageChanged(message, unread)
    onChange(message.peer)
  }

  const send = async (peer: string, body: Message['body']): Promise<Message> => {
    const message: Message = { id: crypto.randomUUID(), peer, direction: 'out', at: now(), body, status: 'waiting' }
    await messages.add(message)
    await show(message, false)
    parts.onOutgoing(peer)
    return message
  }

  return {
    with(peer) {
      const known = open.get(peer)
      if (known) return known
      trim()
      const list = writable<readonly Message[]>([])
      open.set(peer, list)
      load(peer, list).catch(() => undefined)
      return list
    },
    async sendText(peer, text) {
      if (text.length === 0) throw new FootbridgeError('bad_request', 'a message has at least one character')
      if (text.length > MAX_TEXT_LENGTH) throw new FootbridgeError('too_large', `a message has at most ${MAX_TEXT_LENGTH} characters`)
      return send(peer, { kind: 'text', text })
    },
    async sendFile(peer, file) {
      const name = file.name.slice(-MAX_FILE_NAME_LENGTH) || 'file'
      return parts.imports.run(peer, file, (offer) => send(peer, { kind: 'file', file: { ...offer, name } }))
    },
    importing: (peer) => parts.imports.of(peer),
    cancelImport: (id) => parts.imports.cancel(id),
    async retry(peer, messageId) {
      const message = await messages.get(peer, messageId)
      if (message?.direction === 'out') parts.onOutgoing(peer)
    },
    async markRead(peer) {
      await people.markRead(peer)
      onChange(peer)
    },
    async remove(peer) {
      await messages.remove(peer)
      open.get(peer)?.set([])
      await people.remove(peer)
      onChange(peer)
    },
    async receive(message) {
      const isNew = await messages.add(message)
      if (isNew) await show(message, true)
      return isNew
    },
    async setStatus(peer, id, status) {
      const message = await messages.setStatus(peer, id, status)
      if (message) await show(message, false)
    },
    async reload(peer) {
      const list = open.get(peer)
      if (list) await load(peer, list)
    },
    clear() {
      for (const list of open.values()) list.set([])
    },
  }
}
