/**
 * The web app's files, read once at the start and served from memory: compressed at first use, content-hashed ones for ever, the rest revalidated.
 * A page address that is no file gets index.html, because the app routes by itself.
 */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { extname, join, relative, sep } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import type { Context } from 'hono'

export interface StaticFiles {
  /** CSP sources of the inline scripts in index.html. */
  readonly inlineScriptHashes: readonly string[]
  /** Answers a GET or HEAD; undefined when there is nothing for it. */
  respond(context: Context): Promise<Response | undefined>
}

type Encoding = 'br' | 'gzip' | 'identity'

interface StaticFile {
  readonly body: Buffer<ArrayBuffer>
  readonly type: string
  readonly etag: string
  readonly immutable: boolean
  readonly encoded: Map<Encoding, Promise<Buffer<ArrayBufferLike>>>
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.webmanifest': 'application/manifest+json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.webp': 'image/webp',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.wasm': 'application/wasm',
  '.txt': 'text/plain; charset=utf-8',
}
const COMPRESSIBLE = /^text\/|javascript|json|svg|wasm/
/** Below this a compressed answer saves no packet. */
const MIN_COMPRESSED_BYTES = 1_024

/** @param root folder with index.html; when it has none, every page says how to build it. */
export async function loadStaticFiles(root: string): Promise<StaticFiles> {
  const files = await readAll(root)
  const index = files.get('/index.html')
  return {
    inlineScriptHashes: index === undefined ? [] : hashInlineScripts(index.body.toString('utf8')),
    async respond(context) {
      const path = decodePath(context.req.path)
      const wantsPage = extname(path) === '' || (context.req.header('Accept') ?? '').includes('text/html')
      const file = files.get(path) ?? (wantsPage && !path.startsWith('/assets/') ? index : undefined)
      if (file !== undefined) return serveFile(file, context)
      return index === undefined && wantsPage ? missingApp() : undefined
    },
  }
}

async function serveFile(file: StaticFile, context: Context): Promise<Response> {
  const encoding = chooseEncoding(file, context.req.header('Accept-Encoding') ?? '')
  const headers = new Headers({
    'Content-Type': file.type,
    'Cache-Control': file.immutable ? 'public, max-age=31536000, immutable' : 'no-cache',
    ETag: file.etag,
    Vary: 'Accept-Encoding',
  })
  if (context.req.header('If-None-Match') === file.etag) return new Response(null, { status: 304, headers })
  const body = encoding === 'identity' ? file.body : await encode(file, encoding)
  if (encoding !== 'identity') headers.set('Content-Encoding', encoding)
  headers.set('Content-Length', String(body.length))
  return new Response(context.req.method === 'HEAD' ? null : new Uint8Array(body), { headers })
}

function chooseEncoding(file: StaticFile, accepted: string): Encoding {
  if (file.body.length < MIN_COMPRESSED_BYTES || !COMPRESSIBLE.test(file.type)) return 'identity'
  const offered = accepted.split(',').flatMap((item) => {
    const [name = '', quality] = item.trim().split(/;\s*q=/)
    return quality !== undefined && Number(quality) === 0 ? [] : name
  })
  return offered.includes('br') ? 'br' : offered.includes('gzip') ? 'gzip' : 'identity'
}

function encode(file: StaticFile, encoding: 'br' | 'gzip'): Promise<Buffer<ArrayBufferLike>> {
  const known = file.encoded.get(encoding)
  if (known !== undefined) return known
  const work =
    encoding === 'gzip'
      ? promisify(gzip)(file.body, { level: 9 })
      : promisify(brotliCompress)(file.body, {
          params: { [constants.BROTLI_PARAM_QUALITY]: 9, [constants.BROTLI_PARAM_SIZE_HINT]: file.body.length },
        })
  file.encoded.set(encoding, work)
  return work
}

async function readAll(root: string): Promise<Map<string, StaticFile>> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => [])
  const files = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map(async (entry): Promise<[string, StaticFile]> => {
        const path = join(entry.parentPath, entry.name)
        const url = `/${relative(root, path).split(sep).join('/')}`
        const body = await readFile(path)
        const file: StaticFile = {
          body,
          type: TYPES[extname(entry.name)] ?? 'application/octet-stream',
          etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`,
          // Vite puts a hash of the content into every name below assets/.
          immutable: url.startsWith('/assets/'),
          encoded: new Map(),
        }
        return [url, file]
      }),
  )
  return new Map(files)
}

function hashInlineScripts(html: string): string[] {
  return [...html.matchAll(/<script(?![^>]*\ssrc=)[^>]*>([\s\S]*?)<\/script>/g)].map(
    ([, script = '']) => `'sha256-${createHash('sha256').update(script).digest('base64')}'`,
  )
}

function decodePath(path: string): string {
  try {
    const decoded = decodeURIComponent(path)
    return decoded === '/' ? '/index.html' : decoded
  } catch {
    return path
  }
}

function missingApp(): Response {
  const page = `<!doctype html><meta charset="utf-8"><title>Footbridge</title>
<h1>The bridge runs; its web app is not built</h1><p>Stop the bridge, run <code>npm run build</code>, and start it again.</p>`
  return new Response(page, { status: 503, headers: { 'Content-Type': 'text/html; charset=utf-8', 'Cache-Control': 'no-store' } })
}
