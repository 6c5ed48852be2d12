/** A check-up as text for a mail to whoever helps: what was found, with its figures. No token, no key, no PeerID of the person, and their addresses shortened. */
import type { CheckUp } from '@footbridge/client/check-up/facts'
import { formatDuration } from '../format/time.ts'
import { m } from '../paraglide/messages.js'
import { figuresOf } from './check-up-figures.ts'
import { adviceWords, checkLines, verdictWords, type Mark } from './check-up.ts'

export const MARK_WORDS: Record<Mark, () => string> = {
  works: m.check_mark_works,
  limited: m.check_mark_limited,
  broken: m.check_mark_broken,
  none: m.check_mark_unknown,
  running: m.check_mark_running,
}

export function checkUpText(checkUp: CheckUp, facts: { readonly bridgeUrl: string; readonly userAgent: string }): string {
  const { checks, verdict, startedAt, tookMs, link } = checkUp
  if (checks === undefined || verdict === undefined) return ''
  const lines = checkLines(checks, verdict).flatMap(({ name, title, mark, sentence }) => [
    `[${MARK_WORDS[mark]()}] ${title}: ${sentence}`,
    ...figuresOf(name, checks, false).map(([figure, value]) => `    ${figure}: ${value}`),
  ])
  return [
    `${m.check_report_title()}, ${new Date(startedAt).toISOString()}, ${formatDuration(tookMs)}`,
    facts.bridgeUrl,
    facts.userAgent,
    link.state === 'online' ? `${link.state}: ${link.over}` : `${link.state}: ${link.code ?? '-'}`,
    '',
    verdictWords(checkUp) ?? '',
    ...adviceWords(checkUp),
    '',
    ...lines,
    '',
    m.check_report_masked(),
  ].join('\n')
}
