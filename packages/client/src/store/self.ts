/**
 * Who this device is: identity, profile, who can find it, and its enrolment at each bridge.
 */
import { DEFAULT_VISIBILITY, VISIBILITIES, type Visibility } from '@footbridge/shared/wire/announce-frame'
import type { Profile } from '../api.ts'
import type { Database, EnrolmentRecord, IdentityRecord } from './database.ts'

export interface SelfStore {
  identity(): Promise<IdentityRecord | undefined>
  setIdentity(identity: IdentityRecord): Promise<void>
  profile(): Promise<Profile>
  setProfile(profile: Profile): Promise<void>
  visibility(): Promise<Visibility>
  setVisibility(visibility: Visibility): Promise<void>
  enrolment(bridgeUrl: string): Promise<EnrolmentRecord | undefined>
  setEnrolment(enrolment: EnrolmentRecord): Promise<void>
  removeEnrolment(bridgeUrl: string): Promise<void>
  /** The bridge that was used last, so that an app on another origin finds it again. */
  lastBridge(): Promise<string | undefined>
  setLastBridge(bridgeUrl: string): Promise<void>
  clear(): Promise<void>
}

export function createSelfStore(database: Database): SelfStore {
  return {
    async identity() {
      return (await database.get('self', 'identity')) as IdentityRecord | undefined
    },
    async setIdentity(identity) {
      await database.put('self', identity, 'identity')
    },
    async profile() {
      return ((await database.get('self', 'profile')) as Profile | undefined) ?? { name: '', picture: undefined }
    },
    async setProfile(profile) {
      await database.put('self', profile, 'profile')
    },
    async visibility() {
      const kept = await database.get('self', 'visibility')
      return VISIBILITIES.find((known) => known === kept) ?? DEFAULT_VISIBILITY
    },
    async setVisibility(visibility) {
      await database.put('self', visibility, 'visibility')
    },
    enrolment: (bridgeUrl) => database.get('enrolments', bridgeUrl),
    async setEnrolment(enrolment) {
      await database.put('enrolments', enrolment)
    },
    removeEnrolment: (bridgeUrl) => database.delete('enrolments', bridgeUrl),
    async lastBridge() {
      return (await database.get('self', 'lastBridge')) as string | undefined
    },
    async setLastBridge(bridgeUrl) {
      await database.put('self', bridgeUrl, 'lastBridge')
    },
    async clear() {
      await Promise.all((['self', 'enrolments', 'upgrades', 'winners'] as const).map((store) => database.clear(store)))
    },
  }
}
