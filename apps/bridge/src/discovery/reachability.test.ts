import { describe, expect, it } from 'vitest'
import { decideReachability, type OwnAddress, type Reachability } from './reachability.ts'

const GRACE_MS = 30_000
const NOW = 1_000_000

const own = (verified: boolean, isOfUse: boolean, address = '/ip4/11.0.0.1/tcp/4001'): OwnAddress => ({ address, verified, isOfUse })
const circuit = own(true, true, '/ip4/11.0.0.9/tcp/4001/p2p/relay/p2p-circuit')

describe('whether others reach the bridge without a relay', () => {
  it.each<[Reachability, string, readonly OwnAddress[], number | undefined]>([
    ['reachable', 'an address of use is verified, though nobody was dialled', [own(true, true)], undefined],
    ['reachable', 'one of several is', [own(false, true), own(true, false), own(true, true)], NOW - 2 * GRACE_MS],
    ['unknown', 'nobody was there who would have told', [own(false, true)], undefined],
    ['unknown', 'those who are there have not had time to tell', [own(false, true)], NOW - GRACE_MS + 1],
    ['unreachable', 'they have had it and did not', [own(false, true)], NOW - GRACE_MS],
    ['unreachable', 'what is verified is of use to nobody elsewhere', [own(true, false)], NOW - GRACE_MS],
    ['unreachable', 'it is reached over a relay alone', [circuit], NOW - GRACE_MS],
    ['unreachable', 'it listens nowhere', [], NOW - GRACE_MS],
  ])('is %s when %s', (reachability, _when, addresses, outSince) => {
    expect(decideReachability({ own: addresses, outSince, graceMs: GRACE_MS }, NOW)).toBe(reachability)
  })
})
