/**
 * A room as it is drawn: days, groups of consecutive messages of one sender, and the times that this device did not hear. Pure.
 */
import type { RoomMessage } from '@footbridge/client/rooms/room'
import { startOfDay } from '../format/time.ts'

export type RoomFlowItem =
  | { readonly kind: 'day'; readonly key: string; readonly at: number }
  | { readonly kind: 'gap'; readonly key: string; readonly from: number; readonly until: number }
  | {
      readonly kind: 'group'
      readonly key: string
      readonly from: string
      readonly own: boolean
      readonly messages: readonly RoomMessage[]
    }

/** Messages further apart than this stand in groups of their own. */
const GROUP_GAP_MS = 5 * 60_000

/** @param messages oldest first */
export function roomFlowOf(messages: readonly RoomMessage[]): RoomFlowItem[] {
  const items: RoomFlowItem[] = []
  let group: RoomMessage[] = []
  let day: number | undefined

  const endGroup = (): void => {
    const first = group[0]
    if (first !== undefined) items.push({ kind: 'group', key: `group-${first.id}`, from: first.from, own: first.own, messages: group })
    group = []
  }

  for (const message of messages) {
    const messageDay = startOfDay(message.at)
    const last = group.at(-1)
    const joins = last?.from === message.from && last.own === message.own && message.at - last.at < GROUP_GAP_MS && messageDay === day
    if (!joins || message.body.kind === 'gap') endGroup()
    if (messageDay !== day) {
      day = messageDay
      items.push({ kind: 'day', key: `day-${message.id}`, at: message.at })
    }
    if (message.body.kind === 'gap') items.push({ kind: 'gap', key: message.id, from: message.at, until: message.body.until })
    else group.push(message)
  }
  endGroup()
  return items
}
