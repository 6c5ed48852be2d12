/**
 * A conversation as it is drawn: days, groups of consecutive messages of one side, and the lines that tell of a changed path.
 * Pure; the page decides how each part looks.
 */
import type { Message } from '@footbridge/client/api'
import { startOfDay } from '../format/time.ts'

export interface PathNote {
  readonly at: number
  readonly text: string
}

export type FlowItem =
  | { readonly kind: 'day'; readonly key: string; readonly at: number }
  | { readonly kind: 'note'; readonly key: string; readonly note: PathNote }
  | { readonly kind: 'group'; readonly key: string; readonly direction: Message['direction']; readonly messages: readonly Message[] }

/** Messages further apart than this stand in groups of their own. */
const GROUP_GAP_MS = 5 * 60_000

/** @param messages oldest first. @param notes by the time they were seen, oldest first. */
export function flowOf(messages: readonly Message[], notes: readonly PathNote[]): FlowItem[] {
  const items: FlowItem[] = []
  let group: Message[] = []
  let day: number | undefined
  let nextNote = 0

  const endGroup = (): void => {
    const first = group[0]
    if (first !== undefined) items.push({ kind: 'group', key: `group-${first.id}`, direction: first.direction, messages: group })
    group = []
  }
  const addNotesUpTo = (at: number): void => {
    for (let note = notes[nextNote]; note !== undefined && note.at <= at; note = notes[nextNote]) {
      endGroup()
      items.push({ kind: 'note', key: `note-${nextNote}`, note })
      nextNote++
    }
  }

  for (const message of messages) {
    addNotesUpTo(message.at)
    const messageDay = startOfDay(message.at)
    const last = group.at(-1)
    const joins = last !== undefined && last.direction === message.direction && message.at - last.at < GROUP_GAP_MS && messageDay === day
    if (!joins) endGroup()
    if (messageDay !== day) {
      day = messageDay
      items.push({ kind: 'day', key: `day-${message.id}`, at: message.at })
    }
    group.push(message)
  }
  addNotesUpTo(Number.POSITIVE_INFINITY)
  endGroup()
  return items
}
