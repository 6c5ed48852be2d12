/** The people and messages of the fake. Development only. */
import type { Message, Peer } from '@footbridge/client/api'

const MINUTE = 60_000
export const ME = '12D3KooWQvUCFvKz1mXJ5cPh8sDm2zUQaPz5kqJ7hRYw3MtbAeLs'
export const BRIDGE = '12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp'
export const ALICE = '12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf'
export const BOB = '12D3KooWRBy97UB99e3J6hiPesre1MZeuNQvfan4gBziswrRJsNK'
const CHARLIE = '12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5'
export const NATIVE = '12D3KooWLRPJAA5o6nLdnkAHcvmM7Ln5xPnV9yVzVFGx2mMoZyHF'
const AWAY = '12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN'

export function fakePeers(now: number): Peer[] {
  const circuit = (id: string): string => `/dns4/bridge.example/tcp/443/wss/p2p/${BRIDGE}/p2p-circuit/p2p/${id}`
  const base = { picture: undefined, unread: 0, lastMessage: undefined }
  return [
    {
      ...base,
      id: ALICE,
      name: 'Alice',
      device: 'phone',
      online: true,
      since: now - 4 * MINUTE,
      path: { kind: 'direct', over: 'webrtc', rttMs: 12.4, address: `/webrtc/p2p/${ALICE}`, since: now - 3 * MINUTE },
    },
    {
      ...base,
      id: BOB,
      name: 'Bob',
      device: 'browser',
      online: true,
      since: now - 52 * MINUTE,
      unread: 2,
      path: {
        kind: 'relayed',
        over: 'circuit',
        rttMs: 64,
        address: circuit(BOB),
        since: now - 50 * MINUTE,
        upgrade: { state: 'failed', reason: 'UDP did not get through on either network', retryAt: now + 42_000 },
      },
    },
    {
      ...base,
      id: CHARLIE,
      name: 'Charlie from the harbour office',
      device: 'browser',
      online: true,
      since: now - 30_000,
      path: {
        kind: 'relayed',
        over: 'circuit',
        rttMs: undefined,
        address: circuit(CHARLIE),
        since: now - 9000,
        upgrade: { state: 'trying', startedAt: now - 3000 },
      },
    },
    { ...base, id: NATIVE, name: '', device: 'native', online: true, since: now - 190 * MINUTE, path: { kind: 'none' } },
    { ...base, id: AWAY, name: 'Bob’s laptop', device: 'browser', online: false, since: now - 26 * 60 * MINUTE, path: { kind: 'none' } },
  ]
}

export function fakeMessages(now: number): Map<string, Message[]> {
  let serial = 0
  const text = (
    peer: string,
    direction: Message['direction'],
    minutesAgo: number,
    words: string,
    status: Message['status'] = 'delivered',
  ): Message => ({
    id: `m${serial++}`,
    peer,
    direction,
    at: now - minutesAgo * MINUTE,
    body: { kind: 'text', text: words },
    status,
  })
  const file = (
    peer: string,
    direction: Message['direction'],
    minutesAgo: number,
    cid: string,
    name: string,
    size: number,
    media: string,
  ): Message => ({
    id: `m${serial++}`,
    peer,
    direction,
    at: now - minutesAgo * MINUTE,
    body: { kind: 'file', file: { cid, name, size, media } },
    status: 'delivered',
  })
  return new Map([
    [
      ALICE,
      [
        text(ALICE, 'in', 1500, 'Are you still behind the hotel network?'),
        text(ALICE, 'out', 1497, 'Yes. Everything is blocked here but web pages.'),
        text(ALICE, 'in', 1496, 'Then paste the token I gave you. That is all it takes.'),
        text(ALICE, 'in', 14, 'Good morning'),
        text(
          ALICE,
          'in',
          14,
          'I have the drawings for the pier. The second sheet is the one with the new handrail, and I marked where the old posts are still sound.',
        ),
        text(ALICE, 'out', 12, 'Wonderful, send them over'),
        file(ALICE, 'in', 11, 'bafy-drawings', 'pier-drawings-2026-11.pdf', 52_428_800, 'application/pdf'),
        file(ALICE, 'in', 10, 'bafy-photo', 'handrail.png', 184_000, 'image/png'),
        text(ALICE, 'out', 6, 'The photo is here already. The light is lovely.'),
        file(ALICE, 'out', 5, 'bafy-notes', 'notes-from-tuesday.txt', 4_210, 'text/plain'),
        text(ALICE, 'out', 1, 'https://example.org/harbour/tides?day=2026-11-21 has the tides for tomorrow', 'sent'),
        text(ALICE, 'out', 0.2, 'See you there', 'waiting'),
      ],
    ],
    [
      BOB,
      [
        text(BOB, 'out', 40, 'Did the file arrive?'),
        file(BOB, 'out', 39, 'bafy-paused', 'soundings.csv', 8_400_000, 'text/csv'),
        text(BOB, 'in', 3, 'Not yet, it stopped half way'),
        text(BOB, 'in', 2, 'Now it goes on'),
      ],
    ],
    [
      AWAY,
      [
        text(AWAY, 'out', 20, 'Ping me when you are back', 'waiting'),
        text(AWAY, 'out', 19, 'This one was too long for your peer', 'refused'),
      ],
    ],
  ])
}

/** Names at the limit: with places to break, without any, and from right to left. */
export const LONG_NAMES: Readonly<Record<string, string>> = {
  [ALICE]: 'Alice of the harbour office by the old stone bridge on the river',
  [BOB]: 'Bobbobbobbobbobbobbobbobbobbobbobbobbobbobbobbobbobbobbobbobbob',
  [CHARLIE]: 'تشارلي من مكتب الميناء القديم عند الجسر الحجري',
}

export function longMessages(now: number): Message[] {
  const words: readonly (readonly [Message['direction'], string])[] = [
    ['in', 'مرحبا، هل وصلت الرسومات؟ الورقة الثانية هي التي عليها الدرابزين الجديد.'],
    ['out', 'שלום, הכול הגיע. תודה רבה (2026-11-21).'],
    ['in', `https://example.org/${'a-path-that-does-not-end/'.repeat(8)}?and=${'x'.repeat(120)}`],
    ['out', 'W'.repeat(300)],
    ['in', 'Line one\n\n\tand a tab\n    and four spaces\n👩‍👩‍👧‍👦🌉 🇳🇱'],
  ]
  return [
    ...words.map(([direction, text], index): Message => ({
      id: `long${index}`,
      peer: BOB,
      direction,
      at: now - (60 - index) * 1000,
      body: { kind: 'text', text },
      status: 'delivered',
    })),
    {
      id: 'longfile',
      peer: BOB,
      direction: 'in',
      at: now - 1000,
      body: { kind: 'file', file: { cid: 'bafy-none', name: `${'long_name_'.repeat(12)}.tar.gz`, size: 5e9, media: 'application/gzip' } },
      status: 'delivered',
    },
  ]
}
