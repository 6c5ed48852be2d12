/**
 * What the machine gives the bridge: Node, the C library for WebTransport, the data folder, room on the disk, open files, UDP buffers.
 */
import { createSocket } from 'node:dgram'
import { existsSync, statSync } from 'node:fs'
import { access, constants, readFile, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { loadBinding } from '@footbridge/listeners/webtransport/binding'
import { formatBytes } from '../cli/units.ts'
import { error, ok, unknown, warning, type Finding } from './finding.ts'

const NEEDED_NODE = 24
const LITTLE_SPACE = 1_000_000_000
const NO_SPACE = 100_000_000
/** Above the connections of a bridge that is full: 12 000, and WebTransport's flows. */
const WANTED_FILES = 20_000
const FEW_FILES = 4_096
/** Half of what the WebTransport listener asks for: a burst of a congestion window. */
const WANTED_BUFFER = 2_000_000

export interface MachineFacts {
  readonly nodeVersion: string
  readonly dataDir: string
  /** Of the running bridge, or of this process. */
  readonly processLimits: string | undefined
  readonly userId: number | undefined
  readonly wantsWebTransport: boolean
}

export async function checkMachine(facts: MachineFacts): Promise<Finding[]> {
  return [
    checkNode(facts.nodeVersion),
    ...(facts.wantsWebTransport ? [checkWebTransport(), await checkUdpBuffers()] : []),
    checkOpenFiles(facts.processLimits),
    ...(await checkDataDir(facts)),
  ]
}

/** This process's own, when no bridge runs. */
export function ownLimits(): Promise<string | undefined> {
  return readFile('/proc/self/limits', 'utf8').catch(() => undefined)
}

function checkNode(version: string): Finding {
  const check = { area: 'machine', id: 'node', what: 'Node' } as const
  if (Number.parseInt(version, 10) >= NEEDED_NODE) return ok(check, version)
  return error(check, `${version}; the bridge needs ${NEEDED_NODE}`, `install Node ${NEEDED_NODE}, or run npm ci in the project's folder`)
}

function checkWebTransport(): Finding {
  const check = { area: 'machine', id: 'webtransport-module', what: 'WebTransport' } as const
  const loaded = loadBinding()
  if ('binding' in loaded) return ok(check, 'its native module loads')
  return warning(
    check,
    loaded.reason,
    'people come in by WebSocket and tunnel; for WebTransport use a newer system, or spare browsers the try with --wt-port off',
  )
}

function checkOpenFiles(limits: string | undefined): Finding {
  const check = { area: 'machine', id: 'open-files', what: 'open files' } as const
  const soft = /^Max open files\s+(\d+|unlimited)/m.exec(limits ?? '')?.[1]
  if (soft === undefined) return unknown(check, 'this system does not say how many')
  const count = soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft)
  const found = `up to ${soft}, one for each connection`
  const advice = `raise it for a busy bridge: LimitNOFILE=${WANTED_FILES * 2} in its systemd unit, or ulimit -n`
  if (count < FEW_FILES) return error(check, found, advice)
  return count < WANTED_FILES ? warning(check, found, advice) : ok(check, found)
}

async function checkUdpBuffers(): Promise<Finding> {
  const check = { area: 'machine', id: 'udp-buffers', what: 'UDP buffers' } as const
  const socket = createSocket('udp4')
  try {
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
    socket.setRecvBufferSize(WANTED_BUFFER * 2)
    socket.setSendBufferSize(WANTED_BUFFER * 2)
    // Linux keeps half of it for its own books, and shows the whole.
    const size = Math.min(socket.getRecvBufferSize(), socket.getSendBufferSize()) / 2
    const found = `${formatBytes(size)} each way`
    if (size >= WANTED_BUFFER) return ok(check, found)
    return warning(
      check,
      found,
      `WebTransport drops packets in bursts: sysctl -w net.core.rmem_max=${WANTED_BUFFER * 2} net.core.wmem_max=${WANTED_BUFFER * 2}`,
    )
  } finally {
    socket.close()
  }
}

async function checkDataDir({ dataDir, userId }: MachineFacts): Promise<Finding[]> {
  const check = { area: 'machine', id: 'data-folder', what: 'data folder' } as const
  if (!existsSync(dataDir)) return [unknown(check, `${dataDir} is not there yet: the first start makes it`)]
  const findings: Finding[] = []
  const { mode, uid } = statSync(dataDir)
  const key = join(dataDir, 'identity.key')
  const isOpen = (path: string): boolean => existsSync(path) && (statSync(path).mode & 0o077) !== 0
  const isWritable = await access(dataDir, constants.R_OK | constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  )
  if (!isWritable)
    findings.push(error(check, `${dataDir} cannot be written by this user`, `run this as the bridge's user, or chown the folder`))
  else if (isOpen(key)) findings.push(error(check, `${key} can be read by others`, `chmod 600 ${key}: whoever reads it is your bridge`))
  else if (isOpen(dataDir)) findings.push(warning(check, `others can look into ${dataDir}`, `chmod 700 ${dataDir}`))
  else if (userId !== undefined && userId !== 0 && uid !== userId)
    findings.push(warning(check, `${dataDir} belongs to another user`, 'run the bridge as the user that owns it'))
  else findings.push(ok(check, `${dataDir}, mode ${(mode & 0o777).toString(8).padStart(4, '0')}`))

  const disk = { area: 'machine', id: 'disk', what: 'free space' } as const
  const { bavail, bsize } = await statfs(dataDir)
  const free = bavail * bsize
  const advice = 'make room: a store that cannot be written refuses logins'
  if (free < NO_SPACE) findings.push(error(disk, formatBytes(free), advice))
  else findings.push(free < LITTLE_SPACE ? warning(disk, formatBytes(free), advice) : ok(disk, formatBytes(free)))
  return findings
}
