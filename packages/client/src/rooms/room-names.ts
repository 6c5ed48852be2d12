/**
 * What a room may be called, and which topics belong to it. Pure.
 */
import { FootbridgeError } from '@footbridge/shared/errors'
import { utf8Encode } from '@footbridge/shared/text-codec'
import type { RoomTopics } from './room.ts'

/** Those of universal-connectivity: its peers, unmodified, meet people of the app there. */
export const DEFAULT_TOPICS: RoomTopics = {
  chat: 'universal-connectivity',
  files: 'universal-connectivity-file',
  discovery: 'universal-connectivity-browser-peer-discovery',
}

/** Topics are no paragraphs; the bridge counts their bytes. */
const MAX_NAME_BYTES = 128
const FILES_SUFFIX = '-file'

/** The name as it is used, without what surrounds it. @throws FootbridgeError `bad_request` */
export function roomName(given: string, topics: RoomTopics): string {
  const name = topicName(given)
  const isReserved = name !== topics.chat && (name.endsWith(FILES_SUFFIX) || name === topics.discovery || name === topics.files)
  if (isReserved) throw new FootbridgeError('bad_request', 'that name belongs to the files of a room, or to the search for peers')
  return name
}

/** @throws FootbridgeError `bad_request` */
export function roomTopics({ chat, files, discovery }: RoomTopics): RoomTopics {
  const topics = { chat: topicName(chat), files: topicName(files), discovery: topicName(discovery) }
  if (new Set(Object.values(topics)).size < 3) throw new FootbridgeError('bad_request', 'each topic needs a name of its own')
  return topics
}

/** The topic on which files of this room are offered. */
export function filesTopic(room: string, topics: RoomTopics): string {
  return room === topics.chat ? topics.files : `${room}${FILES_SUFFIX}`
}

function topicName(given: string): string {
  const name = given.trim()
  const hasControls = /\p{Cc}/u.test(name)
  if (name === '' || hasControls || utf8Encode(name).length > MAX_NAME_BYTES)
    throw new FootbridgeError('bad_request', `a room's name has 1 to ${MAX_NAME_BYTES} bytes and stands on one line`)
  return name
}
