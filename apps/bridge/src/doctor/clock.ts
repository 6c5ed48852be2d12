/**
 * The system's clock. Logins are signed with a time, certificates have one, so a clock that is wrong turns people away. Against an SNTP server (RFC 4330) only if the
 * operator names one: nobody is asked unasked.
 */
import { createSocket } from 'node:dgram'
import { LOGIN_CLOCK_TOLERANCE_MS } from '@footbridge/shared/limits'
import { error, ok, reasonOf, unknown, warning, type Finding } from './finding.ts'

const CHECK = { area: 'clock', id: 'clock', what: 'clock' } as const
const NTP_PORT = 123
/** Between 1900 and 1970. */
const NTP_EPOCH_SECONDS = 2_208_988_800
const TIMEOUT_MS = 4_000
const SMALL_MS = 2_000
const LARGE_MS = LOGIN_CLOCK_TOLERANCE_MS / 10
const ADVICE = 'set the clock and keep it set: timedatectl set-ntp true'

/**
 * @param server `host` or `host:port`; undefined when none was named.
 * @param elsewhere a time that another machine gave, if one did, with its name.
 */
export async function checkClock(
  clock: () => number,
  server: string | undefined,
  elsewhere: { readonly time: number; readonly name: string } | undefined,
): Promise<Finding> {
  if (server !== undefined) {
    try {
      return judge(await offsetOf(clock, server), server, 0)
    } catch (failure) {
      return unknown(CHECK, `${server} gave no time: ${reasonOf(failure)}`, 'name another with --time-server')
    }
  }
  // A Date header has whole seconds, and was on its way.
  if (elsewhere !== undefined) return judge(elsewhere.time - clock(), elsewhere.name, SMALL_MS)
  return unknown(CHECK, 'not compared with another: the public address is this machine', 'name a server to ask: --time-server pool.ntp.org')
}

function judge(offsetMs: number, source: string, grain: number): Finding {
  const size = Math.abs(offsetMs)
  const seconds = (size / 1_000).toFixed(size < 10_000 ? 1 : 0)
  if (size <= SMALL_MS + grain) return ok(CHECK, `agrees with ${source} within ${grain > 0 ? '4 s' : '2 s'}`)
  const found = `${seconds} s ${offsetMs > 0 ? 'behind' : 'ahead of'} ${source}`
  return size > LARGE_MS ? error(CHECK, found, ADVICE) : warning(CHECK, found, ADVICE)
}

/** @returns how much must be added to our clock, in milliseconds. */
async function offsetOf(clock: () => number, server: string): Promise<number> {
  const [, host = '', port] = /^\[?([^\]]+?)\]?(?::(\d{1,5}))?$/.exec(server) ?? []
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
  try {
    const sentAt = clock()
    const answer = await new Promise<Buffer>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('no answer')), TIMEOUT_MS)
      socket.once('close', () => clearTimeout(timer))
      socket.once('error', reject)
      socket.once('message', resolve)
      const request = Buffer.alloc(48)
      // Version 4, a client.
      request[0] = 0x23
      writeTime(request, 40, sentAt)
      socket.send(request, Number(port ?? NTP_PORT), host, (failure) => {
        if (failure) reject(failure)
      })
    })
    const receivedAt = clock()
    if (answer.length < 48 || ((answer[0] ?? 0) & 7) !== 4 || answer[1] === 0) throw new Error('what it says is no time')
    return (readTime(answer, 32) - sentAt + (readTime(answer, 40) - receivedAt)) / 2
  } finally {
    socket.close()
  }
}

function readTime(packet: Buffer, offset: number): number {
  return (packet.readUInt32BE(offset) - NTP_EPOCH_SECONDS) * 1_000 + (packet.readUInt32BE(offset + 4) / 2 ** 32) * 1_000
}

function writeTime(packet: Buffer, offset: number, ms: number): void {
  packet.writeUInt32BE(Math.floor(ms / 1_000) + NTP_EPOCH_SECONDS, offset)
  packet.writeUInt32BE(Math.floor(((ms % 1_000) / 1_000) * 2 ** 32), offset + 4)
}
