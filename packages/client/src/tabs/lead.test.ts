import { afterEach, expect, test, vi } from 'vitest'
import { createTabLead, type TabParts } from './lead.ts'
import type { TabMessage } from './messages.ts'
import { ASK_EVERY_MS, MAX_UNANSWERED } from './tab-state.ts'

/** Locks and channels of one browser, as its tabs share them. Node has both. */
const browser = (name: string): TabParts => ({ locks: navigator.locks, channel: new BroadcastChannel(name) })

interface Tab {
  readonly lead: ReturnType<typeof createTabLead>
  readonly told: string[]
  readonly messages: TabMessage[]
  until(what: 'lead' | 'follow'): Promise<void>
}

const opened: Tab[] = []
afterEach(() => {
  for (const { lead } of opened.splice(0)) lead.close()
  vi.useRealTimers()
})

/** @param answers whether it answers when it leads and is asked. */
function open(name: string, answers = true, parts = browser(name)): Tab {
  const told: string[] = []
  const messages: TabMessage[] = []
  const lead = createTabLead(name, parts, {
    onLead: () => void told.push('lead'),
    onFollow: () => void told.push('follow'),
    onAsk: () => lead.tell({ kind: 'ask', from: 'somebody', fresh: false }),
    onMessage(message) {
      messages.push(message)
      if (message.kind === 'ask' && answers && lead.leads) lead.tell({ kind: 'here' })
    },
  })
  const until = (what: string): Promise<void> => vi.waitFor(() => expect(told.at(-1)).toBe(what), { timeout: 4000, interval: 5 })
  const tab = { lead, told, messages, until }
  opened.push(tab)
  return tab
}

test.runIf(navigator.locks)('one tab leads, the next takes over when it closes', async () => {
  const first = open('takeover')
  await first.until('lead')
  const second = open('takeover')
  await second.until('follow')
  expect([first.lead.leads, second.lead.leads]).toEqual([true, false])
  first.lead.close()
  await second.until('lead')
  expect(second.told).toEqual(['follow', 'lead'])
})

test.runIf(navigator.locks)('a leader that does not answer loses the lock, and follows when it is back', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  const frozen = open('frozen', false)
  await frozen.until('lead')
  const second = open('frozen')
  await second.until('follow')
  vi.advanceTimersByTime(ASK_EVERY_MS * (MAX_UNANSWERED + 1))
  await second.until('lead')
  await frozen.until('follow')
  expect([frozen.lead.leads, second.lead.leads]).toEqual([false, true])
  second.lead.close()
  await frozen.until('lead')
})

test.runIf(navigator.locks)('a leader that answers keeps the lock', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  const first = open('alive')
  await first.until('lead')
  const second = open('alive')
  await second.until('follow')
  for (let round = 0; round < 3 * MAX_UNANSWERED; round++) {
    const before = second.messages.length
    vi.advanceTimersByTime(ASK_EVERY_MS)
    await vi.waitFor(() => expect(second.messages.length).toBeGreaterThan(before), { interval: 5 })
  }
  expect([first.told, second.told]).toEqual([['lead'], ['follow']])
})

test('a tab hears what another has written', async () => {
  const [first, second] = [open('news'), open('news')]
  first.lead.tell({ kind: 'peer', peer: 'bob' })
  await vi.waitFor(() => expect(second.messages).toContainEqual({ kind: 'peer', peer: 'bob' }))
})

test('a browser without locks leads in every tab', async () => {
  const tab = open('plain', true, { locks: undefined, channel: undefined })
  await tab.lead.decided
  expect(tab.lead.leads).toBe(true)
  tab.lead.close()
  tab.lead.close()
})
