/**
 * The app's own sentences, by key, so that journeys look for what a person reads and stay right when the wording changes.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../../scripts/steps.ts'

const messages = JSON.parse(readFileSync(join(root, 'apps/web/messages/en.json'), 'utf8')) as Record<string, unknown>

/** The sentence of `key` with `{placeholders}` filled in. @throws when the app has no such sentence. */
export function words(key: string, values: Readonly<Record<string, string>> = {}): string {
  const text = messages[key]
  if (typeof text !== 'string') throw new Error(`apps/web/messages/en.json has no plain sentence "${key}"`)
  return text.replaceAll(/\{(\w+)\}/g, (_whole, name: string) => values[name] ?? '')
}

/** For sentences with a placeholder whose value the journey cannot know. */
export function pattern(key: string, values: Readonly<Record<string, string>> = {}): RegExp {
  const text = messages[key]
  if (typeof text !== 'string') throw new Error(`apps/web/messages/en.json has no plain sentence "${key}"`)
  const parts = text.split(/(\{\w+\})/).map((part) => {
    const name = /^\{(\w+)\}$/.exec(part)?.[1]
    if (name === undefined) return escape(part)
    return values[name] === undefined ? '.+' : escape(values[name])
  })
  return new RegExp(parts.join(''))
}

function escape(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
