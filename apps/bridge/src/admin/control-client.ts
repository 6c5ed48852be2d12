/**
 * The command line's end of the control socket.
 * Not here: what to do when no bridge answers (cli/operator.ts).
 */
import { request, type IncomingMessage } from 'node:http'
import { createInterface } from 'node:readline'
import { FootbridgeError, ERROR_CODES, type ErrorCode } from '@footbridge/shared/errors'
import type { TokenLimits } from '@footbridge/storage/ports'
import type { TokenOptions } from '../auth/tokens.ts'
import { CONTROL_TIMEOUT_MS } from '../limits.ts'
import type { LimitChanges } from '../relay-limits.ts'
import type { BridgeLimits } from '../relay/relay.ts'
import type { Diagnosis } from './diagnosis.ts'
import type { StatusSummary } from './status-summary.ts'
import type { PeerSummary, TokenSummary } from './token-summary.ts'

export interface ControlClient {
  /** @throws FootbridgeError `unreachable` when no bridge listens; every method may. */
  describe(): Promise<{ url: string; peer: string; version: string }>
  createToken(options: TokenOptions): Promise<{ token: string; id: string }>
  listTokens(): Promise<TokenSummary[]>
  limitToken(id: string, changes: Partial<TokenLimits>): Promise<TokenSummary>
  limits(): Promise<BridgeLimits>
  changeLimits(scope: keyof BridgeLimits, changes: LimitChanges): Promise<BridgeLimits>
  status(): Promise<StatusSummary>
  /** How the bridge stands in the network. */
  network<Status>(): Promise<Status>
  revokeToken(id: string): Promise<void>
  diagnose(): Promise<Diagnosis>
  openSighting(): Promise<{ id: string }>
  takeSighting<Sighting>(id: string): Promise<{ sighting: Sighting | null }>
  createDoctorToken(): Promise<{ token: string; id: string }>
  listPeers(): Promise<PeerSummary[]>
  /** All sessions now and after every change, until the bridge stops. */
  watchPeers(): AsyncIterable<PeerSummary[]>
}

export function createControlClient(path: string): ControlClient {
  const open = (method: string, route: string, body?: unknown): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const sending = request(
        { socketPath: path, agent: false, method, path: route, headers: { 'Content-Type': 'application/json' } },
        (response) => {
          sending.setTimeout(0)
          resolve(response)
        },
      )
      sending.setTimeout(CONTROL_TIMEOUT_MS, () => sending.destroy(new FootbridgeError('timeout', 'the bridge does not answer')))
      sending.once('error', (error) => reject(isAbsent(error) ? new FootbridgeError('unreachable', 'no bridge is running') : error))
      sending.end(body === undefined ? undefined : JSON.stringify(body))
    })

  const ask = async <Answer>(method: string, route: string, body?: unknown): Promise<Answer> => {
    const response = await open(method, route, body)
    const chunks: Buffer[] = []
    for await (const chunk of response) chunks.push(chunk as Buffer)
    const text = Buffer.concat(chunks).toString()
    const answer: unknown = text === '' ? undefined : JSON.parse(text)
    if ((response.statusCode ?? 500) >= 400) throw toError(answer)
    // The other end is this same program, under the same lock: its shape is trusted.
    return answer as Answer
  }

  return {
    describe: () => ask('GET', '/bridge'),
    createToken: (options) => ask('POST', '/tokens', options),
    listTokens: () => ask('GET', '/tokens'),
    limitToken: (id, changes) => ask('POST', `/tokens/${encodeURIComponent(id)}/limits`, changes),
    limits: () => ask('GET', '/limits'),
    changeLimits: (scope, changes) => ask('POST', `/limits/${scope}`, changes),
    status: () => ask('GET', '/status'),
    network: () => ask('GET', '/network'),
    revokeToken: (id) => ask('POST', `/tokens/${encodeURIComponent(id)}/revoke`),
    diagnose: () => ask('GET', '/diagnosis'),
    openSighting: () => ask('POST', '/sightings'),
    takeSighting: (id) => ask('GET', `/sightings/${id}`),
    createDoctorToken: () => ask('POST', '/doctor-tokens'),
    listPeers: () => ask('GET', '/peers'),
    async *watchPeers() {
      const response = await open('GET', '/peers/watch')
      if (response.statusCode !== 200) throw new FootbridgeError('bridge_full', 'too many are watching')
      try {
        for await (const line of createInterface({ input: response })) yield JSON.parse(line) as PeerSummary[]
      } catch (error) {
        // A bridge that stops cuts its watchers off.
        if (!isReset(error)) throw error
      }
    },
  }
}

function toError(answer: unknown): FootbridgeError {
  const { code, title } = (answer ?? {}) as { code?: string; title?: string }
  const known = ERROR_CODES.find((candidate): candidate is ErrorCode => candidate === code)
  return new FootbridgeError(known ?? 'internal', title ?? 'the bridge gave no reason')
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

/** No socket, or one that a dead bridge left. */
function isAbsent(error: unknown): boolean {
  return ['ENOENT', 'ECONNREFUSED', 'ENOTSOCK'].includes(String(codeOf(error)))
}

function isReset(error: unknown): boolean {
  return ['ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE'].includes(String(codeOf(error)))
}
