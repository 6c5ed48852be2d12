import { expect, test } from 'vitest'
import { takeLoginLink } from './login-link.ts'

function page(href: string): {
  location: { href: string; hash: string }
  history: { state: unknown; replaceState(state: unknown, unused: string, url: string): void }
  shown: string[]
} {
  const shown: string[] = []
  return {
    location: { href, hash: new URL(href).hash },
    history: { state: { kept: 1 }, replaceState: (_state, _unused, url) => shown.push(url) },
    shown,
  }
}

test('a login link leaves the address bar at once and is handed on whole', () => {
  const opened = page('https://bridge.example/#token=fb1_secret')
  expect(takeLoginLink(opened as unknown as Parameters<typeof takeLoginLink>[0])).toBe('https://bridge.example/#token=fb1_secret')
  expect(opened.shown).toEqual(['https://bridge.example/'])
})

test('path and query of the link stay', () => {
  const opened = page('https://bridge.example/people/12D3?x=1#lang=en&token=fb1_secret')
  takeLoginLink(opened as unknown as Parameters<typeof takeLoginLink>[0])
  expect(opened.shown).toEqual(['https://bridge.example/people/12D3?x=1'])
})

test('an address without a token is left alone', () => {
  const opened = page('https://bridge.example/network#mytoken')
  expect(takeLoginLink(opened as unknown as Parameters<typeof takeLoginLink>[0])).toBeUndefined()
  expect(opened.shown).toEqual([])
})
