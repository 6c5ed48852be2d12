import { createMemoryStorage } from '@footbridge/storage/memory/memory-storage'
import { describe, expect, it } from 'vitest'
import { DEFAULT_BRIDGE_LIMITS } from './relay/limits.ts'
import { createRelayLimitSettings } from './relay-limits.ts'

function open(storage = createMemoryStorage()) {
  const told: unknown[] = []
  const settings = createRelayLimitSettings({ storage, onChange: () => told.push('changed'), onError: (error) => told.push(error) })
  return { storage, settings, told }
}

describe('the limits of peers, addresses and the bridge', () => {
  it('are the defaults until something is set, and what was set after a restart, the rest still the defaults', async () => {
    const { storage, settings, told } = open()
    await settings.load()
    expect(settings.current()).toEqual(DEFAULT_BRIDGE_LIMITS)
    await settings.change('bridge', { bytesPerDay: 5, circuits: 7 })
    await settings.change('bridge', { bytesPerDay: null })
    await settings.change('peer', { circuitsPerMinute: 3 })
    const expected = {
      ...DEFAULT_BRIDGE_LIMITS,
      bridge: { ...DEFAULT_BRIDGE_LIMITS.bridge, circuits: 7 },
      peer: { ...DEFAULT_BRIDGE_LIMITS.peer, circuitsPerMinute: 3 },
    }
    expect([settings.current(), told]).toEqual([expected, ['changed', 'changed', 'changed']])
    const later = open(storage).settings
    await later.load()
    expect(later.current()).toEqual(expected)
  })

  it.each(['{', '{"bridge":{"circuits":-1}}', '"x"'])('are the defaults where the store has %s, and somebody is told', async (text) => {
    const { storage, settings, told } = open()
    await storage.settings.set('relay-limits', text)
    await settings.load()
    expect(settings.current()).toEqual(DEFAULT_BRIDGE_LIMITS)
    expect(told).toHaveLength(1)
  })

  it.each([[{ circuits: 0 }], [{ circuits: 1.5 }], [{ colour: 1 }], [{ bytesPerDay: '1' }], ['x']])('do not become %j', async (changes) => {
    const { settings, told } = open()
    await expect(settings.change('bridge', changes as never)).rejects.toMatchObject({ code: 'bad_request' })
    expect([settings.current(), told]).toEqual([DEFAULT_BRIDGE_LIMITS, []])
  })
})
