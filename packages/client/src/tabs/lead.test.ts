import { expect, test } from 'vitest'
import { createTabLead, type TabChange, type TabParts } from './lead.ts'

/** Locks and channels of one browser, as its tabs share them. Node has both. */
const browser = (name: string): TabParts => ({ locks: navigator.locks, channel: new BroadcastChannel(name) })

interface Tab {
  readonly lead: ReturnType<typeof createTabLead>
  readonly leads: Promise<void>
  readonly follows: Promise<void>
  readonly change: Promise<TabChange>
}

function open(name: string): Tab {
  const leads = Promise.withResolvers<void>()
  const follows = Promise.withResolvers<void>()
  const change = Promise.withResolvers<TabChange>()
  const events = { onLead: leads.resolve, onFollow: follows.resolve, onChange: change.resolve }
  return { lead: createTabLead(name, browser(name), events), leads: leads.promise, follows: follows.promise, change: change.promise }
}

test.runIf(navigator.locks)('one tab leads, the next takes over when it closes', async () => {
  const first = open('takeover')
  await first.leads
  const second = open('takeover')
  await second.follows
  expect([first.lead.leads, second.lead.leads]).toEqual([true, false])
  first.lead.close()
  await second.leads
  expect(second.lead.leads).toBe(true)
  second.lead.close()
})

test('a tab hears what another has written', async () => {
  const first = open('news')
  const second = open('news')
  first.lead.tell({ kind: 'peer', peer: 'bob' })
  expect(await second.change).toEqual({ kind: 'peer', peer: 'bob' })
  first.lead.close()
  second.lead.close()
})

test('a browser without locks leads in every tab', async () => {
  const leads = Promise.withResolvers<void>()
  const events = { onLead: leads.resolve, onFollow: () => undefined, onChange: () => undefined }
  const tab = createTabLead('plain', { locks: undefined, channel: undefined }, events)
  await leads.promise
  expect(tab.leads).toBe(true)
  tab.close()
  tab.close()
})
