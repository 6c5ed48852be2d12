import { expect, test } from 'vitest'
import { dialTarget, invitationLink } from './dial-target.ts'

const BOB = '12D3KooWRBy97UB99e3J6hiPesre1MZeuNQvfan4gBziswrRJsNK'

test('a PeerID, an address and an invitation link are taken, with white space around them', () => {
  expect(dialTarget(` ${BOB}\n`)).toBe(BOB)
  expect(dialTarget(`/dns4/bridge.example/tcp/4001/p2p/${BOB}`)).toBe(`/dns4/bridge.example/tcp/4001/p2p/${BOB}`)
  expect(dialTarget(invitationLink('https://bridge.example', BOB))).toBe(BOB)
})

test.each(['', 'bob', '/dns4/bridge.example/tcp/4001', 'https://bridge.example/people/', `${BOB}0`])('%j is not a target', (text) =>
  expect(dialTarget(text)).toBeUndefined(),
)
