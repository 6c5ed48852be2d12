/**
 * Playwright hands a page much of its code as text and lets it evaluate that, which the app's content security policy rightly forbids. The automation itself
 * is not bound by the policy: so every text that is an expression is sent along compiled, and the page looks it up instead (in-page.ts, `knows`).
 */
import { Script } from 'node:vm'
import type { RemoteValue } from './in-page.ts'

/** The inside of an object literal: each text, and a function that means the same. */
export function compiled(args: readonly RemoteValue[]): string {
  const texts = [...new Set(args.flatMap(stringsIn))].flatMap(formsOf)
  return texts
    .filter(isExpression)
    .map((text) => `[${JSON.stringify(text)}]: () => (${expressionOf(text)}\n)`)
    .join(',\n')
}

/** An expression that may stand in brackets. */
export function expressionOf(text: string): string {
  return text.replace(/[\s;]+$/, '')
}

function stringsIn({ type, value }: RemoteValue): string[] {
  if (type === 'string') return [String(value)]
  if (type === 'array') return (value as RemoteValue[]).flatMap(stringsIn)
  if (type === 'object') return (value as [unknown, RemoteValue][]).flatMap(([, item]) => stringsIn(item))
  return []
}

/** A text, and how Playwright 1.65 wraps a function and a module before it evaluates them. */
function formsOf(text: string): string[] {
  return [
    text,
    `(${text})`,
    `
    (() => {
      const module = {};
      ${text}
      return module.exports.default();
    })()`,
  ]
}

function isExpression(text: string): boolean {
  try {
    return new Script(`(${expressionOf(text)}\n)`) instanceof Script
  } catch {
    return false
  }
}
