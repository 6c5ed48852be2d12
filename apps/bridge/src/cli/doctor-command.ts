/**
 * `footbridge doctor`: says what is right and wrong with a bridge, and what to do. Not here: the checks (../doctor/).
 */
import { realpathSync, existsSync } from 'node:fs'
import { createControlClient } from '../admin/control-client.ts'
import { controlPath } from '../admin/control-path.ts'
import { plainSettings } from '../admin/diagnosis.ts'
import type { Config } from '../config/config.ts'
import { diagnose } from '../doctor/doctor.ts'
import type { Area, Finding } from '../doctor/finding.ts'
import type { Console } from './console.ts'
import { findRunningBridge } from './operator.ts'

export interface DoctorFlags {
  readonly timeServer?: string
}

/** @returns whether there is no error. */
export async function doctorCommand(config: Config, console: Console, { timeServer }: DoctorFlags, json: boolean): Promise<boolean> {
  const running = await findRunningBridge(config, console)
  const bridge = running === undefined ? undefined : createControlClient(controlPath(realpathSync(config.dataDir), console))
  const live = await bridge?.diagnose()
  const dataDir = existsSync(config.dataDir) ? realpathSync(config.dataDir) : config.dataDir
  const findings = await diagnose({
    settings: live?.settings ?? { ...plainSettings(config), dataDir },
    wantsWebTransport: live === undefined ? config.wtPort !== undefined : !isSwitchedOff(live.webTransport),
    bridge,
    timeServer,
    clock: console.clock,
    nodeVersion: console.nodeVersion,
    userId: console.userId,
  })
  const counts = countStates(findings)
  if (json) console.print(`${JSON.stringify({ bridge: live?.url ?? null, peer: live?.peer ?? null, ...counts, findings }, undefined, 2)}\n`)
  else {
    const title = live === undefined ? `No bridge is running on ${dataDir}.` : `${live.url}, version ${live.version}, ${live.peer}`
    console.print(formatFindings(title, findings, console.isTerminal))
  }
  return counts.errors === 0
}

function isSwitchedOff(webTransport: { readonly port: number } | { readonly reason: string }): boolean {
  return 'reason' in webTransport && webTransport.reason.startsWith('switched off')
}

const TITLES: Readonly<Record<Area, string>> = {
  machine: 'This machine',
  clock: 'Time',
  certificate: 'Certificate',
  ports: 'Ports, on this machine',
  public: 'As others reach it',
  proxy: 'Through the public address',
  turn: 'TURN',
}

const MARKS = { ok: '✓', warning: '!', error: '✗', unknown: '?' } as const
const COLOURS = { ok: 32, warning: 33, error: 31, unknown: 36 } as const

/** @param colour whether the terminal takes escape codes. */
export function formatFindings(title: string, findings: readonly Finding[], colour: boolean): string {
  const paint = (text: string, code: number): string => (colour ? `\u001b[${code}m${text}\u001b[0m` : text)
  const width = Math.max(...findings.map(({ what }) => what.length))
  const lines = ['', title]
  let area: Area | undefined
  for (const finding of findings) {
    if (finding.area !== area) lines.push('', paint(TITLES[finding.area], 1))
    area = finding.area
    lines.push(`  ${paint(MARKS[finding.state], COLOURS[finding.state])} ${finding.what.padEnd(width)}  ${finding.found}`)
    if (finding.advice !== undefined) lines.push(`    ${' '.repeat(width)}  ${paint('→', COLOURS[finding.state])} ${finding.advice}`)
  }
  return [...lines, '', summarize(findings), ''].join('\n')
}

function summarize(findings: readonly Finding[]): string {
  const { errors, warnings, unknown } = countStates(findings)
  const some = (count: number, one: string): string => `${count} ${one}${count === 1 ? '' : 's'}`
  const parts = [
    ...(errors > 0 ? [some(errors, 'error')] : []),
    ...(warnings > 0 ? [some(warnings, 'warning')] : []),
    ...(unknown > 0 ? [`${unknown} not checked`] : []),
  ]
  return parts.length === 0
    ? 'All is well.'
    : `${errors === 0 ? 'No error' : parts.shift()}${parts.length === 0 ? '' : `, ${parts.join(', ')}`}.`
}

function countStates(findings: readonly Finding[]): { errors: number; warnings: number; unknown: number } {
  const count = (state: Finding['state']): number => findings.filter((finding) => finding.state === state).length
  return { errors: count('error'), warnings: count('warning'), unknown: count('unknown') }
}
