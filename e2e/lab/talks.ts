/**
 * What people do in the lab and how long it takes: each alice talks with each bob, each alice's network is cut while all bobs go on talking to her, and in the
 * end everybody has heard everything. One cell of the table for each pair of networks.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { hopsFrom, pathBetween, type Hop, type PathKind } from './expected.ts'
import type { Person } from './people.ts'
import type { World } from './world.ts'

export const CUTS_SECONDS = [3, 20] as const

export interface Cell {
  readonly alice: string
  readonly bob: string
  readonly aliceHop: Hop
  readonly bobHop: Hop
  /** Undefined when they never were connected. */
  path: PathKind | undefined
  /** The same after both cuts and the last words: a direct path that was lost is found again, sooner or later. */
  pathInTheEnd: PathKind | undefined
  readonly expectedPath: PathKind
  /** From the key press to the other's screen; nothing was there between the two before. */
  firstMessageMs: number | undefined
  /** From the cut's end until a message that was said meanwhile is on alice's screen, for each of CUTS_SECONDS. */
  readonly recoveryMs: (number | undefined)[]
  /** What is not as it has to be; the cell has failed unless this is empty. */
  readonly wrong: string[]
}

interface Pair {
  readonly alice: Person
  readonly bob: Person
  readonly cell: Cell
}

/** A direct path is tried for at once, and tried again after failures; this is several tries. */
const DIRECT_MS = 45_000

/** @param atOnce how many networks are cut at a time. */
export async function talk(
  world: World,
  people: readonly Person[],
  atOnce: number,
  note: (line: string) => void,
): Promise<readonly Cell[]> {
  const pairs = await pairUp(people)
  for (const pair of pairs) await say(pair)
  note('everybody has spoken with everybody')
  await Promise.all(pairs.map(settle))
  note('paths have settled')
  const alices = [...new Set(pairs.map(({ alice }) => alice))]
  for (let from = 0; from < alices.length; from += atOnce) {
    const cut = alices.slice(from, from + atOnce)
    const theirs = pairs.filter(({ alice }) => cut.includes(alice))
    for (const seconds of CUTS_SECONDS) await cutOff(world, cut, theirs, seconds)
    note(`cut off and back: ${cut.map(({ name }) => name).join(', ')}`)
  }
  for (const pair of pairs) await goOn(pair)
  return pairs.map(({ cell }) => cell)
}

/** Each kind with each, once: the first of the two networks is alice's. */
async function pairUp(people: readonly Person[]): Promise<readonly Pair[]> {
  const hops = new Map<Person, Hop>()
  for (const person of people) hops.set(person, await person.hop())
  const side = (name: string): readonly Person[] =>
    people.filter((person) => person.name.startsWith(name)).toSorted((one, other) => one.site.number - other.site.number)
  const [alices, bobs] = [side('alice'), side('bob')]
  return alices.flatMap((alice, index) =>
    bobs.slice(index).map((bob): Pair => {
      const cell: Cell = {
        alice: alice.site.network.name,
        bob: bob.site.network.name,
        aliceHop: hops.get(alice)!,
        bobHop: hops.get(bob)!,
        path: undefined,
        pathInTheEnd: undefined,
        expectedPath: pathBetween(alice.site.network, bob.site.network),
        firstMessageMs: undefined,
        recoveryMs: CUTS_SECONDS.map(() => undefined),
        wrong: [],
      }
      for (const person of [alice, bob]) {
        const hop = hops.get(person)!
        if (!hopsFrom(person.site.network).includes(hop))
          cell.wrong.push(`${person.name} came over ${hop}, which that network does not carry`)
      }
      return { alice, bob, cell }
    }),
  )
}

async function attempt({ cell }: Pair, what: string, act: () => Promise<void>): Promise<void> {
  try {
    await act()
  } catch (error) {
    cell.wrong.push(`${what}: ${error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)}`)
  }
}

async function say(pair: Pair): Promise<void> {
  const { alice, bob, cell } = pair
  await attempt(pair, 'the first message did not come', async () => {
    await bob.app.open(alice.name)
    await alice.app.open(bob.name)
    const text = `hello from ${alice.name} to ${bob.name}`
    await alice.app.composer.fill(text)
    const startedAt = performance.now()
    await alice.app.composer.press('Enter')
    await bob.app.message(text).waitFor()
    cell.firstMessageMs = performance.now() - startedAt
  })
}

/** Waits for a direct path where there can be one; elsewhere there is nothing to wait for, and all tries to find one fail meanwhile. */
async function settle(pair: Pair): Promise<void> {
  const { alice, bob, cell } = pair
  await attempt(pair, `the path is not ${cell.expectedPath}`, async () => {
    const expected = alice.app.path(bob.name, cell.expectedPath === 'direct' ? 'path_direct' : 'path_relayed')
    try {
      await expected.waitFor({ timeout: DIRECT_MS })
    } finally {
      cell.path = await pathOf(pair)
    }
  })
}

async function pathOf({ alice, bob }: Pair): Promise<PathKind | undefined> {
  if (await alice.app.path(bob.name, 'path_direct').isVisible()) return 'direct'
  return (await alice.app.path(bob.name, 'path_relayed').isVisible()) ? 'relayed' : undefined
}

/** Cuts these alices off for so long; every bob says something to each meanwhile, and it comes after. */
async function cutOff(world: World, alices: readonly Person[], pairs: readonly Pair[], seconds: number): Promise<void> {
  const place = CUTS_SECONDS.findIndex((length) => length === seconds)
  // Conversations are closed, so that what comes is counted beside the name.
  for (const alice of alices) await alice.app.go('people')
  world.cut(alices.map(({ site }) => site))
  // On time, whether or not everybody has spoken by then: a busy machine must not make the cut longer.
  const mended = sleep(seconds * 1000).then(() => {
    world.mend()
    return performance.now()
  })
  const bobs = [...new Set(pairs.map(({ bob }) => bob))]
  await Promise.all(
    bobs.map(async (bob) => {
      // One after the other: a person has one screen.
      for (const pair of pairs.filter((candidate) => candidate.bob === bob))
        await attempt(pair, `bob could not speak during the cut of ${seconds} s`, async () => {
          await bob.app.open(pair.alice.name)
          await bob.app.say(during(pair, seconds))
        })
    }),
  )
  const mendedAt = await mended
  await Promise.all(
    pairs.map((pair) =>
      attempt(pair, `nothing came after the cut of ${seconds} s`, async () => {
        await pair.alice.app.unread(pair.bob.name, place + 1).waitFor()
        pair.cell.recoveryMs[place] = performance.now() - mendedAt
      }),
    ),
  )
}

const during = ({ alice }: Pair, seconds: number): string => `said to ${alice.name} while cut off for ${seconds} s`

/** Nothing was lost, and both still hear each other. */
async function goOn(pair: Pair): Promise<void> {
  const { alice, bob, cell } = pair
  await attempt(pair, 'they did not go on talking', async () => {
    await alice.app.open(bob.name)
    await bob.app.open(alice.name)
    for (const seconds of CUTS_SECONDS) await alice.app.message(during(pair, seconds)).waitFor()
    await alice.app.say('still there?')
    await bob.app.message('still there?').waitFor()
    await bob.app.say('here I am')
    await alice.app.message('here I am').waitFor()
    cell.pathInTheEnd = await pathOf(pair)
    if (cell.expectedPath === 'relayed' && cell.pathInTheEnd === 'direct')
      cell.wrong.push('the path is direct, which these networks do not allow: the lab or its rules are wrong')
  })
}
