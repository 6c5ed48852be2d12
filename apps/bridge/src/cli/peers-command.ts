/**
 * `footbridge peers`: the virtual peers of the running bridge, once or live.
 */
import type { PeerSummary } from '../admin/token-summary.ts'
import type { Config } from '../config/config.ts'
import { CommandError, type Console } from './console.ts'
import { findRunningBridge } from './operator.ts'
import { formatTable, printable } from './table.ts'
import { formatAge, formatTime } from './units.ts'

export interface PeersFlags {
  readonly json: boolean
  readonly watch: boolean
  /** Sessions that are not reachable too. */
  readonly all: boolean
}

export async function peersCommand(config: Config, console: Console, { json, watch, all }: PeersFlags): Promise<void> {
  const running = await findRunningBridge(config, console)
  if (running === undefined)
    throw new CommandError(`no bridge is running on ${config.dataDir}: start it with npm start, or name its folder with --data-dir`)

  const show = (sessions: readonly PeerSummary[]): void => {
    const peers = all ? sessions : sessions.filter(({ state }) => state === 'reachable')
    if (json) return console.print(`${JSON.stringify(peers, undefined, watch ? undefined : 2)}\n`)
    // Home and clear below: redraws in place, and leaves what was above in the scroll-back.
    const clear = watch && console.isTerminal ? '\u001b[H\u001b[J' : ''
    console.print(clear + formatPeers(peers, console.clock()))
  }

  if (!watch) return show(await running.client.listPeers())
  let stopped = false
  void console.stopRequested.then(() => {
    stopped = true
  })
  const updates = running.client.watchPeers()[Symbol.asyncIterator]()
  while (!stopped) {
    const next = await Promise.race([updates.next(), console.stopRequested])
    if (typeof next === 'string') return void updates.return?.()
    if (next.done === true) throw new CommandError('the bridge has stopped')
    show(next.value)
  }
}

function formatPeers(peers: readonly PeerSummary[], now: number): string {
  if (peers.length === 0) return 'Nobody is here.\n'
  const head = ['PEER', 'NAME', 'STATE', 'DEVICE', 'TOKEN', 'FOR', 'SESSION UNTIL']
  const rows = peers.map(({ peer, name, state, device, tokenId, tokenLabel, since, expiresAt }) => [
    peer,
    printable(name) || '-',
    state,
    device ?? '-',
    `${printable(tokenLabel)} (${tokenId})`,
    formatAge(now - since),
    formatTime(expiresAt),
  ])
  const address = peers.flatMap(({ addresses }) => addresses)[0]
  const example = address === undefined ? '' : `\nNative peers dial <address>/p2p-circuit/p2p/<peer>, here ${address}\n`
  return formatTable(head, rows) + example
}
