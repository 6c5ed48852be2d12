import { expect, test } from 'vitest'
import fc from 'fast-check'
import { EMBLEMS, PATTERNS, figureOf } from './figure.ts'

const ALPHABET = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'.split('')
const peerId = fc.array(fc.constantFrom(...ALPHABET), { minLength: 44, maxLength: 44 }).map((letters) => `12D3KooW${letters.join('')}`)
/** What is drawn for one PeerID today. A change here gives everybody another figure: think twice. */
const KNOWN = { pattern: 'border', emblem: 'disc', ground: '#12404d', mark: '#eeb8d8', accent: '#8fd3c8', turns: 0 }
const text = (peer: string): string => JSON.stringify(figureOf(peer))

test('a PeerID has the same figure every time', () => {
  expect(figureOf('12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf')).toEqual(KNOWN)
})

test('PeerIDs that differ in one character have different figures nearly always', () => {
  const peers = ALPHABET.map((letter) => `12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXt${letter}`)
  expect(new Set(peers.map(text)).size).toBeGreaterThan(peers.length - 3)
})

test('a thousand peers use every pattern and emblem, and share few figures', () => {
  const peers = fc.sample(peerId, { numRuns: 1000, seed: 7 })
  const figures = peers.map(figureOf)
  expect(new Set(figures.map((figure) => figure.pattern)).size).toBe(PATTERNS.length)
  expect(new Set(figures.map((figure) => figure.emblem)).size).toBe(EMBLEMS.length)
  expect(new Set(peers.map(text)).size).toBeGreaterThan(900)
})

test('ground and mark differ in lightness, so that a figure can be read without seeing its hues', () => {
  const lightness = (colour: string): number =>
    Number.parseInt(colour.slice(1, 3), 16) * 0.3 +
    Number.parseInt(colour.slice(3, 5), 16) * 0.59 +
    Number.parseInt(colour.slice(5), 16) * 0.11
  fc.assert(
    fc.property(peerId, (peer) => {
      const { ground, mark } = figureOf(peer)
      expect(Math.abs(lightness(ground) - lightness(mark))).toBeGreaterThan(60)
    }),
  )
})
