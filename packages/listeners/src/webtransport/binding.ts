/**
 * The native WebTransport (@moq/web-transport: quinn and HTTP/3 in Rust) as the smallest interface that the listener needs, and how to load it.
 * The package's own entry is TypeScript, which Node does not run from node_modules, and hides error codes; so its binding is taken directly.
 *
 * What one must know of it (version 0.1.4, observed):
 * - one operation at a time on each half of a stream: `stop` waits for a `read` that waits, `reset` for a `write` that waits;
 * - the server's `close` blocks the whole thread for as long as an `accept` waits (hence the knock in session-server.ts);
 * - two writes at once may arrive in either order;
 * - it never tells a client's address, cannot change its certificate, and holds its port until the last session has ended (hence udp-front.ts, server-pool.ts);
 * - the status of `reject` is lost: the connection is dropped before the answer has left;
 * - a connection from which nothing came for 30 s is dropped, and it sends nothing by itself to prevent that.
 */
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

export interface Binding {
  readonly NapiServer: {
    /** @throws when the port is taken or the certificate is not one. */
    bind(address: string, certificatePem: Buffer, privateKeyPem: Buffer): NativeServer
  }
  readonly NapiClient: {
    disableVerify(): NativeClient
    /** @param hashes SHA-256 of the certificates that are taken. */
    withCertificateHashes(hashes: readonly Buffer[]): NativeClient
  }
}

export interface NativeClient {
  connect(url: string): Promise<NativeSession>
}

export interface NativeServer {
  /** The next request for a session, or null once closed. Handshakes only go on while somebody waits here. */
  accept(): Promise<NativeRequest | null>
  /** No new sessions; those that are open stay. Never while an `accept` waits: it blocks the thread until that is over. */
  close(): void
}

export interface NativeRequest {
  readonly url: Promise<string>
  ok(): Promise<NativeSession>
  reject(status: number): Promise<void>
}

export interface NativeSession {
  acceptBi(): Promise<NativeStream>
  /** Waits while the remote allows no more streams. */
  openBi(): Promise<NativeStream>
  sendDatagram(data: Buffer): void
  recvDatagram(): Promise<Buffer>
  close(code: number, reason: string): void
  closed(): Promise<{ readonly closeCode: number; readonly reason: string }>
}

export interface NativeStream {
  takeSend(): NativeSend
  takeRecv(): NativeRecv
}

export interface NativeSend {
  /** Resolves when the data is in the send buffer. Rejects with `STOP_SENDING: <code>` when the remote wants no more. */
  write(data: Buffer): Promise<void>
  finish(): Promise<void>
  reset(code: number): Promise<void>
}

export interface NativeRecv {
  /** Null at the end. Rejects with `RESET_STREAM: <code>` when the remote gave up. */
  read(maxBytes: number): Promise<Buffer | null>
  stop(code: number): Promise<void>
}

export type LoadedBinding = { readonly binding: Binding } | { readonly reason: string }

/** Loads the native module, or says in half a sentence why it cannot run here. */
export function loadBinding(): LoadedBinding {
  const require = createRequire(import.meta.url)
  try {
    const entry = require.resolve('@moq/web-transport')
    return { binding: require(join(dirname(entry), '../napi.cjs')) as Binding }
  } catch (error) {
    return { reason: explain(error) }
  }
}

function explain(error: unknown): string {
  const texts: string[] = []
  for (let each = error; each instanceof Error && texts.length < 10; each = each.cause) texts.push(each.message)
  const glibc = /version `(GLIBC_[\d.]+)' not found/.exec(texts.join('\n'))?.[1]
  if (glibc !== undefined) return `it needs ${glibc.replace('_', ' ')} or newer (Debian 13, Ubuntu 24.04)`
  return `its native module does not load: ${texts[0]?.split('\n')[0] ?? String(error)}`
}
