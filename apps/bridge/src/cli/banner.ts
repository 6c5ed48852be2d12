/**
 * What a person reads when the bridge has started, and what it warns them of. Pure text.
 * Not here: the log (telemetry/).
 */
import { formatLoginLink, type BridgeToken } from '@footbridge/shared/bridge-token'
import type { Config } from '../config/config.ts'
import { isLoopback } from '../config/values.ts'
import { formatQrCode } from './qr-code.ts'

export interface Started {
  /** Where people reach it; what login links begin with. */
  readonly url: string
  readonly peer: string
  /** Addresses for native peers. */
  readonly addresses: readonly string[]
  readonly webTransport: { readonly port: number } | { readonly reason: string }
  /** UDP ports. */
  readonly stunPorts: readonly number[]
  readonly firstToken: BridgeToken | undefined
}

/** @param colour whether the terminal takes escape codes. */
export function formatBanner(config: Config, started: Started, { colour }: { readonly colour: boolean }): string {
  const lines = ['', `${config.name} is running at ${started.url}`, '']
  lines.push(`  bridge        ${started.peer}`)
  for (const address of started.addresses) lines.push(`  native peers  ${address}`)
  const { webTransport } = started
  lines.push(`  WebTransport  ${'port' in webTransport ? `UDP port ${webTransport.port}` : `none: ${webTransport.reason}`}`)
  if (config.stun) lines.push(`  STUN          ${formatPorts(started.stunPorts)}`)
  if (config.turn !== undefined) lines.push(`  TURN          ${config.turn.urls.join(', ')}`)
  lines.push(`  data          ${config.dataDir}`)
  if (config.guests) lines.push('  guests        may come in without a token')
  lines.push('')
  if (started.firstToken !== undefined) {
    const link = formatLoginLink(started.url, started.firstToken)
    lines.push('Open this link to log in. It holds the first bridge token and is not shown again:', '', `  ${link}`, '')
    lines.push(indent(formatQrCode(link, { colour })), '')
    lines.push('For everybody else, make a token each:', '', '  npx footbridge token create --label "Alice" --devices 2', '')
  } else {
    lines.push('To let somebody in, make a token:', '', '  npx footbridge token create --label "Alice" --devices 2', '')
  }
  lines.push('Ctrl+C stops the bridge.', '')
  return lines.join('\n')
}

/** What browsers will refuse with these settings, and how to mend it; undefined when nothing is wrong. */
export function insecureWarning(config: Config): string | undefined {
  const isSecure = config.tls !== undefined || config.trustedProxies.length > 0 || isLoopback(config.host)
  if (isSecure) return undefined
  return [
    `Warning: listening on ${config.host} without TLS. Over plain HTTP a browser on another machine has no secure context: it refuses the page its`,
    'cryptography (WebCrypto) and its service worker, so people there cannot log in. Mend it in one of three ways:',
    '  1. give the bridge a certificate:   --tls-cert fullchain.pem --tls-key privkey.pem',
    '  2. put a TLS proxy in front of it:  --host 127.0.0.1 --trusted-proxies 127.0.0.1 --public-url https://bridge.example',
    '  3. for yourself alone, a tunnel:    ssh -L 8080:localhost:8080 this-machine, then open http://localhost:8080',
    'At http://localhost on this machine it works as it is.',
    '',
  ].join('\n')
}

/** Where this machine's own browser reaches the bridge; `port` when the system chose it. */
export function localUrl(config: Pick<Config, 'host' | 'port' | 'tls'>, port: number = config.port): string {
  const scheme = config.tls === undefined ? 'http' : 'https'
  const isDefault = port === (scheme === 'http' ? 80 : 443)
  const isLocal = isLoopback(config.host) || config.host === '0.0.0.0' || config.host === '::'
  const host = isLocal ? 'localhost' : config.host.includes(':') ? `[${config.host}]` : config.host
  return `${scheme}://${host}${isDefault ? '' : `:${port}`}`
}

function formatPorts(ports: readonly number[]): string {
  if (ports.length === 0) return 'none: its UDP ports cannot be had (see the log)'
  return `UDP port${ports.length === 1 ? '' : 's'} ${ports.join(' and ')}`
}

function indent(text: string): string {
  return text.trimEnd().replaceAll(/^/gm, '  ')
}
