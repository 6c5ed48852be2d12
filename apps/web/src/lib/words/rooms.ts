/** Rooms in words: how one stands, what was said last, who spoke. */
import type { Peer } from '@footbridge/client/api'
import type { Room, RoomMessage } from '@footbridge/client/rooms/room'
import { formatClock } from '../format/time.ts'
import { m } from '../paraglide/messages.js'
import { nameOf } from './names.ts'

/** Where a room's page is. Names may hold anything that a line can. */
export function roomPath(name: string): `/rooms/${string}` {
  return `/rooms/${encodeURIComponent(name)}`
}

export function roomStateWords(room: Pick<Room, 'state' | 'members'>): string {
  switch (room.state) {
    case 'here':
      return room.members.length === 0 ? m.room_here_quiet() : m.room_members_known({ count: room.members.length })
    case 'alone':
      return m.room_alone()
    case 'away':
      return m.room_away()
  }
}

export function speakerName(id: string, peers: readonly Peer[]): string {
  return nameOf(peers.find((peer) => peer.id === id) ?? { id, name: '' })
}

/** One line for the list. */
export function lastWords(message: RoomMessage, peers: readonly Peer[]): string {
  const { body } = message
  if (body.kind === 'gap') return gapWords(message.at, body.until)
  const what = body.kind === 'text' ? body.text : m.room_file()
  return m.room_said({ name: message.own ? m.you() : speakerName(message.from, peers), what })
}

/** Times of one day are enough where both are of it. */
export function gapWords(from: number, until: number): string {
  const isOneDay = new Date(from).toDateString() === new Date(until).toDateString()
  const words = (at: number): string =>
    isOneDay ? formatClock(at) : new Date(at).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'short' })
  return m.room_gap({ from: words(from), until: words(until) })
}

/** What is offered to whoever wants to join: the first room, then those that were left here; without the joined ones. */
export function suggestedRooms(first: string, left: readonly string[], joined: readonly Pick<Room, 'name'>[]): readonly string[] {
  return [...new Set([first, ...left])].filter((name) => !joined.some((room) => room.name === name))
}
