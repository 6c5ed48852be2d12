import { expect, it } from 'vitest'
import { nearest } from './nearest.ts'

const KNOWN = ['port', 'host', 'data-dir', 'p2p-port', 'listen-addrs', 'log-level']

it.each<[string, string | undefined, string]>([
  ['prot', 'port', 'letters change places'],
  ['prt', 'port', 'one is left out'],
  ['DATADIR', 'data-dir', 'case and grouping do not count'],
  ['data_dri', 'data-dir', 'both at once'],
  ['listen-adrs', 'listen-addrs', 'a doubled letter is missing'],
  ['p2p-prot', 'p2p-port', 'the nearest of two that are near'],
  ['toast', undefined, 'two slips make a short word another'],
  ['colour', undefined, 'nothing is near'],
  ['', undefined, 'nothing was typed'],
])('%s is taken for %s: %s', (typed, known) => {
  expect(nearest(typed, KNOWN)).toBe(known)
})
