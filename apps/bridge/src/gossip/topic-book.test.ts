import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MAX_TOPIC_BYTES, MAX_TOPICS, MAX_TOPICS_PER_SESSION } from './limits.ts'
import { createTopicBook } from './topic-book.ts'

const on = (topic: string) => ({ topic, subscribe: true })
const off = (topic: string) => ({ topic, subscribe: false })

test('a topic is carried while a peer with a session uses it', () => {
  const book = createTopicBook()
  book.session('alice', true)
  book.heard('alice', [on('harbour'), on('tides')])
  expect([...book.topics()]).toEqual(['harbour', 'tides'])
  book.heard('alice', [off('harbour')])
  expect([...book.topics()]).toEqual(['tides'])
  book.left('alice')
  expect(book.topics().size).toBe(0)
})

test('the last session that uses a topic takes it along', () => {
  const book = createTopicBook()
  for (const peer of ['alice', 'bob']) {
    book.session(peer, true)
    book.heard(peer, [on('harbour')])
  }
  expect([...book.users('harbour')]).toHaveLength(2)
  book.session('alice', false)
  expect(book.topics()).toContain('harbour')
  book.session('bob', false)
  expect(book.topics()).not.toContain('harbour')
})

test('what a native peer subscribes to is not carried for it', () => {
  const book = createTopicBook()
  book.heard('native', [on('everything')])
  expect(book.topics().size).toBe(0)
})

test('a device that subscribed before it had a session is carried from its login on', () => {
  const book = createTopicBook()
  book.heard('alice', [on('harbour')])
  book.session('alice', true)
  expect([...book.topics()]).toEqual(['harbour'])
})

test("the operator's topics are carried whoever is here", () => {
  const book = createTopicBook(['lighthouse'])
  expect([...book.topics()]).toEqual(['lighthouse'])
  book.session('alice', true)
  book.heard('alice', [on('lighthouse'), off('lighthouse')])
  expect([...book.topics()]).toEqual(['lighthouse'])
})

test('topics of one session, their names, and all together are bounded', () => {
  const book = createTopicBook()
  book.session('alice', true)
  book.heard('alice', [on(''), on('x'.repeat(MAX_TOPIC_BYTES + 1)), ...Array.from({ length: 1000 }, (_, index) => on(`t${index}`))])
  expect(book.topics().size).toBe(MAX_TOPICS_PER_SESSION)
  for (let peer = 0; peer < 100; peer++) {
    book.session(`peer ${peer}`, true)
    book.heard(
      `peer ${peer}`,
      Array.from({ length: MAX_TOPICS_PER_SESSION }, (_, index) => on(`p${peer}t${index}`)),
    )
  }
  expect(book.topics().size).toBe(MAX_TOPICS)
})

test('whatever happens in whatever order, what is carried is what present sessions use', () => {
  const peers = ['a', 'b', 'c']
  const event = fc.record({
    peer: fc.constantFrom(...peers),
    what: fc.constantFrom('on', 'off', 'left', 'session', 'ended'),
    topic: fc.constantFrom('x', 'y', 'z'),
  })
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      const book = createTopicBook()
      const sessions = new Set<string>()
      const used = new Map(peers.map((peer) => [peer, new Set<string>()]))
      for (const { peer, what, topic } of events) {
        if (what === 'on' || what === 'off') book.heard(peer, [{ topic, subscribe: what === 'on' }])
        else if (what === 'left') book.left(peer)
        else book.session(peer, what === 'session')
        if (what === 'on') used.get(peer)?.add(topic)
        else if (what === 'off') used.get(peer)?.delete(topic)
        else if (what === 'left') used.get(peer)?.clear()
        else if (what === 'session') sessions.add(peer)
        else sessions.delete(peer)
      }
      const expected = new Set(peers.filter((peer) => sessions.has(peer)).flatMap((peer) => [...(used.get(peer) ?? [])]))
      expect(new Set(book.topics())).toEqual(expected)
    }),
  )
})
