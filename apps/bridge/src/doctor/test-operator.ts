/**
 * For tests: what the command line asks a running bridge, without a control socket in between.
 */
import type { Diagnosis } from '../admin/diagnosis.ts'
import type { TestBridge } from '../test-bridge.ts'
import { diagnose, type DoctorOptions } from './doctor.ts'
import type { Finding } from './finding.ts'

export function operatorOf({ admin }: Pick<TestBridge, 'admin'>): NonNullable<DoctorOptions['bridge']> {
  const ask = async <Answer>(method: string, path: string): Promise<Answer> => {
    const response = await admin.request(path, { method })
    const text = await response.text()
    if (!response.ok) throw new Error(text)
    return (text === '' ? undefined : JSON.parse(text)) as Answer
  }
  return {
    diagnose: () => ask<Diagnosis>('GET', '/diagnosis'),
    openSighting: () => ask('POST', '/sightings'),
    takeSighting: (id) => ask('GET', `/sightings/${id}`),
    createDoctorToken: () => ask('POST', '/doctor-tokens'),
    revokeToken: (id) => ask('POST', `/tokens/${id}/revoke`),
  }
}

export async function examine(bridge: TestBridge, options: Partial<DoctorOptions> = {}): Promise<Finding[]> {
  const operator = operatorOf(bridge)
  return diagnose({
    settings: (await operator.diagnose()).settings,
    wantsWebTransport: false,
    bridge: operator,
    timeServer: undefined,
    clock: Date.now,
    nodeVersion: '24.0.0',
    userId: undefined,
    ...options,
  })
}

/** `area/id state`, without those that are well, and without what the machine of these tests lets a process open. */
export function complaints(findings: readonly Finding[]): string[] {
  return findings.filter(({ id, state }) => state !== 'ok' && id !== 'open-files').map(({ area, id, state }) => `${area}/${id} ${state}`)
}
