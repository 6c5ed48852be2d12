/**
 * What the load processes can do, whatever the relay speaks. There are two: one receives and one sends; each has all drivers.
 * Not here: how that is done over libp2p (libp2p.ts) or bare sockets (web-socket.ts), and who asks for it (../measure.ts).
 */
import type { RelayEntry } from '../subjects/subject.ts'

/** `sink` counts what arrives, `echo` sends it back. */
export type Kind = 'sink' | 'echo'

export interface Driver {
  /** Receiving: makes `count` peers that wait at the relay. @returns their names. */
  listen(entry: RelayEntry, count: number): Promise<string[]>
  /** Receiving: ends them. */
  unlisten(names: readonly string[]): Promise<void>
  /** Receiving: gets ready for one circuit to each of these. @returns what the sender dials. */
  offer(entry: RelayEntry, names: readonly string[], kind: Kind): Promise<string[]>
  /** Receiving: a listener that echoes and that is reached without any relay. @returns its address. */
  listenDirect(): Promise<string>
  /** Sending: a circuit to the target. Lanes have connections of their own to the relay. */
  open(entry: RelayEntry, target: string, lane: number, kind: Kind): Promise<Line>
  /** Sending: without a relay, to what `listenDirect` gave. */
  openDirect(address: string): Promise<Line>
}

/** One opened way to the receiver. */
export interface Line {
  /** @returns false when the caller has to wait for `drained`. */
  send(bytes: Uint8Array): boolean
  drained(): Promise<void>
  /** Who is told of what comes back; the next call replaces it. */
  onData(listener: (bytes: number) => void): void
  close(): Promise<void>
}

/** Bytes received since the start, by all drivers of this process. */
export const received = { bytes: 0, changed: (): void => {} }

export function count(bytes: number): void {
  received.bytes += bytes
  received.changed()
}
