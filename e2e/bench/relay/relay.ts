/**
 * `npm run bench -- relay`: our relay beside the others. What it does goes by the flag:
 *   (none)        all figures of all relays in one run: compare.ts
 *   --profile     where our relay's processor time goes, at both message sizes: profile.ts
 *   --endurance   10 GB through our relay, with its memory at every GB: endurance.ts
 *   --only=a,b    these relays instead: footbridge, stock, go, localfirst, pipe
 */
import type { Bench } from '../bench.ts'
import { compare } from './compare.ts'
import { endure } from './endurance.ts'
import { profile } from './profile.ts'
import { chosen, runnable } from './subjects/all.ts'
import { describeMachine } from './versions.ts'

export const relay: Bench = {
  title: 'relay: for one second of the relay’s processor time, everything on this machine; targets in the last lines',
  prepare(flags) {
    for (const subject of chosen(flags)) subject.prepare?.()
    return Promise.resolve({})
  },
  async run(note, flags) {
    note(describeMachine())
    const ours = ['footbridge']
    if (flags.includes('--profile')) return await profile(runnable(chosen(flags, ours), note), note)
    if (flags.includes('--endurance')) return await endure(runnable(chosen(flags, ours), note), note)
    return await compare(runnable(chosen(flags), note), note)
  },
}
