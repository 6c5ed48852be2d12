/** The app without a port: `app.request` against a folder of files. */
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { createWebSocketListener } from '@footbridge/listeners/websocket/websocket-listener'
import { FootbridgeError } from '@footbridge/shared/errors'
import { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createLog } from '../telemetry/log.ts'
import { createApp, type App } from './app.ts'
import { createClientAddress } from './client-address.ts'
import { loadStaticFiles } from './static-files.ts'

const INLINE = 'document.documentElement.dataset.theme = "dark"'
const SCRIPT = 'console.log("hello")\n'.repeat(200)
let root: string
let app: App
let lines: string[] = []
let answers: string[] = []

const createTestApp = async (folder: string): Promise<App> => {
  const api = new Hono()
  api.get('/refuse', () => {
    throw new FootbridgeError('rate_limited', 'too many attempts', { details: { retryAfterSeconds: 12.5 } })
  })
  api.get('/fault', () => {
    throw new Error('the secret is fb1_abcdefghijklmnopqrstuvwxyz0123456789')
  })
  api.get('/whole', (context) => context.text('fine'))
  return createApp({
    listener: createWebSocketListener({ getAddrs: () => [] }),
    addressOf: createClientAddress([]),
    log: createLog({ level: 'info', destination: { write: (line) => void lines.push(line) } }),
    staticFiles: await loadStaticFiles(folder),
    operation: new Hono(),
    onAnswered: (...answer) => void answers.push(answer.join(' ')),
    api: [api],
  })
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'footbridge-app-'))
  await mkdir(join(root, 'assets'))
  await writeFile(
    join(root, 'index.html'),
    `<!doctype html><script>${INLINE}</script><script type="module" src="/assets/app-1234.js"></script>`,
  )
  await writeFile(join(root, 'assets/app-1234.js'), SCRIPT)
  await writeFile(join(root, 'icon.svg'), '<svg/>')
  app = await createTestApp(root)
})
afterAll(() => rm(root, { recursive: true }))

describe('the web app’s files', () => {
  it.each(['/', '/peers', '/p/12D3KooWabc/', '/index.html'])('answers %s with the page, to be revalidated', async (path) => {
    const response = await app.request(path, { headers: { Accept: 'text/html' } })
    expect([response.status, response.headers.get('Content-Type'), response.headers.get('Cache-Control')]).toEqual([
      200,
      'text/html; charset=utf-8',
      'no-cache',
    ])
  })

  it('answers 304 to whoever has it already', async () => {
    const etag = (await app.request('/')).headers.get('ETag')!
    expect((await app.request('/', { headers: { 'If-None-Match': etag } })).status).toBe(304)
  })

  it('lets hashed files be kept for ever', async () => {
    const response = await app.request('/assets/app-1234.js')
    expect(response.headers.get('Cache-Control')).toContain('immutable')
    expect(await response.text()).toBe(SCRIPT)
  })

  it.each([
    ['br, gzip', 'br', (body: Buffer) => brotliDecompressSync(body)],
    ['gzip, br;q=0', 'gzip', (body: Buffer) => gunzipSync(body)],
    ['', null, (body: Buffer) => body],
  ])('compresses for whoever accepts %s', async (accepted, encoding, decode) => {
    const response = await app.request('/assets/app-1234.js', { headers: { 'Accept-Encoding': accepted } })
    expect(response.headers.get('Content-Encoding')).toBe(encoding)
    expect(decode(Buffer.from(await response.arrayBuffer())).toString()).toBe(SCRIPT)
  })

  it.each(['/assets/app-0000.js', '/assets/', '/missing.png', '/../package.json', '/%2e%2e/package.json', '/%00'])(
    'has nothing at %s',
    async (path) => {
      const response = await app.request(path)
      expect(await response.text()).not.toContain('"name"')
      expect([200, 404]).toContain(response.status)
      if (path.startsWith('/assets')) expect(response.status).toBe(404)
    },
  )

  it('says how to build the app when it is not there', async () => {
    const response = await (await createTestApp(join(root, 'nowhere'))).request('/', { headers: { Accept: 'text/html' } })
    expect(response.status).toBe(503)
    expect(await response.text()).toContain('npm run build')
  })
})

describe('security headers', () => {
  it('allow the inline scripts of the page by hash, no others, and any bridge to talk to', async () => {
    const policy = (await app.request('/')).headers.get('Content-Security-Policy')!
    const [, scripts] = /script-src ([^;]+)/.exec(policy) ?? []
    expect(scripts).toBe(`'self' 'wasm-unsafe-eval' 'sha256-${createHash('sha256').update(INLINE).digest('base64')}'`)
    expect(policy).toContain("connect-src 'self' ws: wss: http: https:")
    expect(policy).toContain("frame-ancestors 'none'")
  })

  it('stand on refusals too', async () => {
    expect((await app.request('/api/v1/refuse')).headers.get('X-Content-Type-Options')).toBe('nosniff')
  })
})

describe('the API', () => {
  it('answers a refusal as a problem with code, status and Retry-After', async () => {
    const response = await app.request('/api/v1/refuse')
    expect([response.status, response.headers.get('Content-Type'), response.headers.get('Retry-After')]).toEqual([
      429,
      'application/problem+json',
      '13',
    ])
    expect(await response.json()).toEqual({
      type: 'about:blank',
      title: 'too many attempts',
      status: 429,
      code: 'rate_limited',
      retryAfterSeconds: 12.5,
    })
  })

  it('says no more than internal of a fault of ours, logs it, and takes secrets out of the log', async () => {
    lines = []
    const response = await app.request('/api/v1/fault')
    expect(response.status).toBe(500)
    const body = await response.text()
    expect(body).toContain('"code":"internal"')
    expect(body).not.toContain('secret')
    expect(lines.join('')).toContain('the secret is [removed]')
    expect(lines.join('')).not.toContain('fb1_')
  })

  it.each(['/api/v1/nothing', '/api/v2', '/api/'])('has nothing at %s, not even the page', async (path) => {
    const response = await app.request(path, { headers: { Accept: 'text/html' } })
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject({ code: 'not_found' })
  })

  it('answers apps on other origins, without credentials, also when it refuses', async () => {
    for (const path of ['/api/v1/whole', '/api/v1/refuse']) {
      const response = await app.request(path, { headers: { Origin: 'https://app.example' } })
      expect(response.headers.get('Access-Control-Allow-Origin')).toBe('*')
      expect(response.headers.get('Access-Control-Allow-Credentials')).toBeNull()
      expect(response.headers.get('Access-Control-Expose-Headers')).toContain('Retry-After')
    }
    const preflight = await app.request('/api/v1/whole', {
      method: 'OPTIONS',
      headers: {
        Origin: 'https://app.example',
        'Access-Control-Request-Method': 'POST',
        'Access-Control-Request-Headers': 'authorization',
      },
    })
    expect(preflight.status).toBe(204)
    expect(preflight.headers.get('Access-Control-Allow-Headers')).toContain('Authorization')
  })

  it('tells of every answer by its route and never by what was asked', async () => {
    answers = []
    for (const path of ['/api/v1/refuse', '/api/v1/fault', '/api/v1/secret-path', '/assets/secret-file.js', '/secret-page', '/icon.svg'])
      await app.request(path, { headers: { Accept: 'text/html' } })
    expect(answers).toEqual(['/api/v1/refuse GET 429', '/api/v1/fault GET 500', '/api/* GET 404', '/* GET 404', '/* GET 200', '/* GET 200'])
  })
})
