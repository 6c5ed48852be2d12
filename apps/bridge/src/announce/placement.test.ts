/** Whatever order wishes and answers come in, every place ends as it was wanted last. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Carried } from './announcement.ts'
import type { Place } from './place.ts'
import { createPlacement, type Placement, type PlaceState } from './placement.ts'

const record = (peer: string, seq: number): Carried => ({ peer, seq, envelope: new Uint8Array(), legacy: new Uint8Array(), addresses: [] })
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

interface FakePlace extends Place {
  readonly told: Map<string, number>
  /** Calls that run at this moment for a peer; more than one is against the port. */
  overlaps: number
  answer: 'announced' | 'full' | 'failed'
}

function fakePlace(name: Place['name'], names: readonly string[] = ['a name']): FakePlace {
  const running = new Set<string>()
  const told = new Map<string, number>()
  const alone = async (peer: string, work: () => void): Promise<void> => {
    if (running.has(peer)) place.overlaps++
    running.add(peer)
    await turn()
    work()
    running.delete(peer)
  }
  const place: FakePlace = {
    name,
    told,
    overlaps: 0,
    answer: 'announced',
    names: () => names,
    async announce({ peer, seq }) {
      await alone(peer, () => told.set(peer, seq))
      if (place.answer === 'failed') throw new Error('no')
      return place.answer
    },
    withdraw: (peer) => alone(peer, () => told.delete(peer)),
  }
  return place
}

function placementOf(places: readonly Place[], changed: string[] = [], errors: string[] = []): Placement {
  return createPlacement(places, { onChange: (peer) => changed.push(peer), onError: (_error, place) => errors.push(place) })
}

const settled = async (placement: Placement, places: readonly FakePlace[], peer: string, state: PlaceState): Promise<void> => {
  for (let turns = 0; turns < 200; turns++) {
    if (places.every((place) => placement.state(peer, place) === state)) return
    await turn()
  }
  throw new Error(`${peer} is ${places.map((place) => placement.state(peer, place)).join()} and not ${state}`)
}

describe('placement', () => {
  it('ends with what was wanted last, whatever came before and in between, and calls no place twice at once for a peer', async () => {
    const wishes = fc.array(fc.tuple(fc.constantFrom('alice', 'bob'), fc.option(fc.nat(5)), fc.nat(3)), { maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(wishes, async (list) => {
        const places = [fakePlace('mdns'), fakePlace('kademlia')]
        const placement = placementOf(places)
        const wanted = new Map<string, number>()
        for (const [peer, seq, turns] of list) {
          placement.set(peer, seq === null ? undefined : record(peer, seq))
          if (seq === null) wanted.delete(peer)
          else wanted.set(peer, seq)
          for (let count = 0; count < turns; count++) await turn()
        }
        for (const peer of wanted.keys()) await settled(placement, places, peer, 'announced')
        await expect.poll(() => places.map(({ told }) => new Map(told)), { timeout: 8_000 }).toEqual([wanted, wanted])
        expect(placement.announced()).toBe(wanted.size)
        await placement.clear()
        expect(places.map(({ told, overlaps }) => [told.size, overlaps])).toEqual([
          [0, 0],
          [0, 0],
        ])
      }),
      { numRuns: 60 },
    )
  })

  it('tries a place that had no room or failed again, and tells of the change', async () => {
    const place = fakePlace('rendezvous')
    const [changed, errors]: [string[], string[]] = [[], []]
    const placement = placementOf([place], changed, errors)
    place.answer = 'failed'
    placement.set('alice', record('alice', 1))
    await settled(placement, [place], 'alice', 'failed')
    expect(errors).toEqual(['rendezvous'])
    place.answer = 'full'
    placement.retry()
    await settled(placement, [place], 'alice', 'full')
    place.answer = 'announced'
    placement.retry()
    await settled(placement, [place], 'alice', 'announced')
    expect(changed).toEqual(['alice', 'alice', 'alice'])
  })

  it('takes a peer out of a place that said it failed, for it may have done half', async () => {
    const place = fakePlace('rendezvous')
    const placement = placementOf([place])
    place.answer = 'failed'
    placement.set('alice', record('alice', 1))
    await settled(placement, [place], 'alice', 'failed')
    expect(place.told.size).toBe(1)
    placement.set('alice', undefined)
    await expect.poll(() => place.told.size, { timeout: 8_000 }).toBe(0)
  })

  it('leaves a place alone that is switched off', async () => {
    const off = fakePlace('mdns', [])
    const on = fakePlace('kademlia')
    const placement = placementOf([off, on])
    placement.set('alice', record('alice', 1))
    await settled(placement, [on], 'alice', 'announced')
    expect([off.told.size, placement.state('alice', off)]).toEqual([0, 'ready'])
  })
})
