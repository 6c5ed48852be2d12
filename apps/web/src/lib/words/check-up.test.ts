import type { CheckUp } from '@footbridge/client/check-up/facts'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createFakeCheckUp } from '../fake/fake-check-up.ts'
import { shortened } from './check-up-figures.ts'
import { checkUpText } from './check-up-report.ts'
import { adviceWords, checkLines, verdictWords } from './check-up.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** What a network's check-up has found at its end. */
async function found(network: string): Promise<CheckUp> {
  const fake = createFakeCheckUp(network)
  const over = fake.start()
  await vi.runAllTimersAsync()
  await over
  return fake.report.get()
}

test.each([
  ['people', 'Everything works.'],
  ['udp-blocked', 'You are reachable. Files go through the bridge, because UDP does not get through from here.'],
  ['webkit', 'You are reachable. Files go through the bridge, because this browser has no WebRTC.'],
  ['clock-wrong', 'Connections work. Something else needs you.'],
  ['portal', 'Something else than your bridge answers on this network.'],
  ['offline', 'This device has no network.'],
  ['out', 'The bridge can be reached from here. You are not logged in.'],
])('on %s the verdict is: %s', async (network, sentence) => {
  expect(verdictWords(await found(network))).toBe(sentence)
})

test('a network that lets only requests through is told by its tunnel and by where files go', async () => {
  expect(verdictWords(await found('tunnel-only'))).toMatch(/plain web requests.*Files go through the bridge/)
})

test('what is broken has something to do; what works has not', async () => {
  for (const network of ['away', 'portal', 'clock-wrong', 'out']) expect(adviceWords(await found(network)), network).not.toEqual([])
  for (const network of ['people', 'udp-blocked', 'webkit']) expect(adviceWords(await found(network)), network).toEqual([])
})

test('every line of every network has a mark and a sentence, and while it runs says so', async () => {
  for (const network of ['people', 'away', 'portal', 'udp-blocked', 'symmetric', 'tunnel-only', 'webkit', 'clock-wrong', 'out']) {
    const { checks, verdict } = await found(network)
    if (checks === undefined || verdict === undefined) throw new Error('nothing was found')
    const lines = checkLines(checks, verdict)
    expect(lines.filter(({ sentence, title }) => sentence === '' || title === '')).toEqual([])
    expect(lines.some(({ mark }) => mark === 'running')).toBe(false)
  }
  const fake = createFakeCheckUp('people')
  void fake.start()
  expect(verdictWords(fake.report.get())).toBe('Looking at this network.')
  fake.stop()
  expect(verdictWords(fake.report.get())).toBe('You are reachable. Whether direct paths work from here could not be told.')
})

test('a broken hop weighs little while another one works, and much when none does', async () => {
  const marks = async (network: string): Promise<Record<string, string>> => {
    const { checks, verdict } = await found(network)
    if (checks === undefined || verdict === undefined) throw new Error('nothing was found')
    return Object.fromEntries(checkLines(checks, verdict).map(({ name, mark }) => [name, mark]))
  }
  expect(await marks('udp-blocked')).toMatchObject({ webtransport: 'limited', udp: 'limited', websocket: 'works', turn: 'none' })
  expect(await marks('offline')).toMatchObject({ bridge: 'broken', websocket: 'none', udp: 'none', webrtc: 'none', storage: 'works' })
  expect(await marks('away')).toMatchObject({ bridge: 'broken', websocket: 'broken', tunnel: 'broken', clock: 'none' })
})

test('the text to copy has the verdict, every line with its figures, and the addresses of the person shortened', async () => {
  const text = checkUpText(await found('symmetric'), { bridgeUrl: 'https://bridge.example', userAgent: 'Mozilla/5.0' })
  expect(text).toContain('because each of them sees you at a different address.')
  expect(text).toContain('[Works] WebSocket: Works. Connected after 61 ms, 18 ms there and back.\n    Address: /dns4/bridge.example')
  expect(text).toContain('Others see you at: 198.51.x.x:41822, 198.51.x.x:9031')
  expect(text).not.toContain('198.51.100.7')
})

test.each([
  ['198.51.100.7', '198.51.x.x:1'],
  ['2001:db8:85a3::7', '[2001:db8:…]:1'],
])('%s is shortened to %s', (address, short) => {
  expect(shortened({ address, port: 1 })).toBe(short)
})
