/**
 * `footbridge doctor`: all checks, beside a running bridge or, where none runs, those that need none. Each answers for itself within its own deadlines; one that
 * breaks is a finding and stops no other. Nobody is asked but this machine, the operator's own names, and a time server if one is named.
 */
import { isIP } from 'node:net'
import type { ControlClient } from '../admin/control-client.ts'
import type { PlainSettings } from '../admin/diagnosis.ts'
import type { Sighting } from '../http/sightings.ts'
import { isOfThisMachine, resolve } from './addresses.ts'
import { checkCertificate } from './certificate.ts'
import { checkClock } from './clock.ts'
import { dial } from './dial.ts'
import { AREAS, error, reasonOf, unknown, type Area, type Finding } from './finding.ts'
import { ask } from './http-probe.ts'
import { checkMachine, ownLimits } from './machine.ts'
import { checkPorts, dialable } from './ports.ts'
import { checkProxy } from './proxy.ts'
import { checkPublic } from './public.ts'
import { checkTurn } from './turn.ts'
import { visit, type Visit } from './visit.ts'

export interface DoctorOptions {
  /** Of the running bridge, or, without one, of the command line. */
  readonly settings: PlainSettings
  readonly wantsWebTransport: boolean
  /** Undefined when no bridge runs. */
  readonly bridge: Pick<ControlClient, 'diagnose' | 'openSighting' | 'takeSighting' | 'createDoctorToken' | 'revokeToken'> | undefined
  readonly timeServer: string | undefined
  readonly clock: () => number
  readonly nodeVersion: string
  readonly userId: number | undefined
}

export async function diagnose(options: DoctorOptions): Promise<Finding[]> {
  const { settings, clock } = options
  const { tls, publicUrl } = settings
  const live = options.bridge === undefined ? undefined : await options.bridge.diagnose()
  const parts = await Promise.all([
    guard('machine', async () =>
      checkMachine({ ...options, dataDir: settings.dataDir, processLimits: live?.processLimits ?? (await ownLimits()) }),
    ),
    guard('clock', async () => [await checkClock(clock, options.timeServer, await timeElsewhere(publicUrl))]),
    guard('certificate', () =>
      checkCertificate({ tls, publicUrl, localPort: live?.port, localHost: dialable(settings.host), now: clock() }),
    ),
    guard('ports', () => checkRunning(options)),
  ])
  const order = (finding: Finding): number => AREAS.indexOf(finding.area)
  return parts.flat().toSorted((one, other) => order(one) - order(other))
}

/** Everything that a bridge must answer: its ports, its public address, what is in front, TURN. */
async function checkRunning({ bridge, clock }: DoctorOptions): Promise<Finding[]> {
  if (bridge === undefined)
    return [
      unknown(
        { area: 'ports', id: 'running', what: 'bridge' },
        'none runs on this data folder: its ports are not checked',
        'start it, and run this again beside it',
      ),
    ]
  const diagnosis = await bridge.diagnose()
  const { settings, url, port, peer } = diagnosis
  const { publicUrl } = settings
  const { id: tokenId, token } = await bridge.createDoctorToken()
  let guest: Visit | undefined
  const findings: Finding[] = []
  try {
    const host = dialable(settings.host)
    const here = `${settings.tls === undefined ? 'http' : 'https'}://${isIP(host) === 6 ? `[${host}]` : host}:${port}`
    try {
      guest = await visit(publicUrl ?? here, peer, token, clock())
    } catch (failure) {
      findings.push(
        error({ area: 'public', id: 'login', what: 'login' }, `at ${publicUrl ?? url}: ${reasonOf(failure)}`, 'see the other findings'),
      )
      // The ports can be looked at all the same.
      guest = publicUrl === undefined ? undefined : await visit(here, peer, token, clock()).catch(() => undefined)
    }
    const isPublic = guest !== undefined && findings.length === 0
    const session = guest?.session
    const told = isPublic ? session : undefined
    const parts = await Promise.all([
      guard('ports', () => checkPorts({ diagnosis, dial, session })),
      guard('public', () => checkPublic({ diagnosis, dial, session: told })),
      guard('proxy', async () =>
        publicUrl === undefined
          ? []
          : checkProxy({
              publicUrl,
              trustedProxies: settings.trustedProxies,
              visit: isPublic ? guest : undefined,
              open: async () => (await bridge.openSighting()).id,
              take: async (id) => (await bridge.takeSighting<Sighting>(id)).sighting ?? undefined,
            }),
      ),
      guard('turn', () => checkTurn(settings.turnUrls, session)),
    ])
    return [...findings, ...parts.flat()]
  } finally {
    await guest?.end()
    await bridge.revokeToken(tokenId).catch(() => {})
  }
}

/** A Date from another machine: the public address, where that is not this one. */
async function timeElsewhere(publicUrl: string | undefined): Promise<{ time: number; name: string } | undefined> {
  if (publicUrl === undefined) return undefined
  try {
    const host = new URL(publicUrl).hostname.replaceAll(/^\[|\]$/g, '')
    if ((await resolve(host)).some(isOfThisMachine)) return undefined
    const { headers } = await ask(publicUrl)
    const time = Date.parse(String(headers.date))
    return Number.isNaN(time) ? undefined : { time, name: host }
  } catch {
    return undefined
  }
}

async function guard(area: Area, check: () => Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await check()
  } catch (failure) {
    return [
      error(
        { area, id: 'fault', what: 'check' },
        `could not be done: ${reasonOf(failure)}`,
        'tell the makers of Footbridge, with this line',
      ),
    ]
  }
}
