/**
 * What a browser is told by the close frame of its WebSocket when its session ends: an application code and a reason in words.
 * The codes are documented in packages/listeners/src/websocket/README.md and do not change.
 */
import { WebSocketCloseError } from '@footbridge/listeners/websocket/close-error'
import type { EndReason } from '../peers/session.ts'

const CLOSE_FRAMES: Readonly<Record<EndReason, readonly [code: number, reason: string]>> = {
  revoked: [4001, 'the token was revoked'],
  expired: [4002, 'the session has expired'],
  logout: [4003, 'logged out'],
  replaced: [4004, 'another session has taken the place of this one'],
  stopped: [1001, 'the bridge is stopping'],
}

/** To abort connections of an ended session with; for those that are no WebSockets it is an error like any other. */
export function closeError(reason: EndReason): WebSocketCloseError {
  return new WebSocketCloseError(...CLOSE_FRAMES[reason])
}
