/**
 * For tests: the proxies that networks really have, as Debian packages them, each with a configuration that is in use somewhere. All on loopback, in plain HTTP,
 * because what a proxy cannot read it cannot hold back. Which are installed: e2e/helpers/proxies.ts installs those that are missing.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { globSync } from 'node:fs'
import { request as ask } from 'node:http'
import { connect, createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { Readable } from 'node:stream'

export interface ProxyKind {
  readonly name: string
  /** `reverse`: in front of the bridge. `forward`: the client is told to use it. */
  readonly side: 'reverse' | 'forward'
  /** Does a stream come through as it is written? */
  readonly streams: boolean
  readonly program: string
  readonly config: (parts: { readonly folder: string; readonly port: number; readonly bridge: number }) => string
  readonly args: (file: string) => readonly string[]
  /** Files elsewhere that it leaves behind. */
  readonly leaves?: (file: string) => readonly string[]
}

export interface RealProxy {
  readonly origin: string
  /** For the client: what goes through it, whichever side it stands on. */
  readonly fetch: typeof fetch
  /** Ends it with everything that is open, and starts it again on the same port. */
  restart(): Promise<void>
  stop(): Promise<void>
}

const nginx =
  (location: string) =>
  ({ folder, port, bridge }: { folder: string; port: number; bridge: number }): string =>
    `
daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/error.log;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path ${folder}/a; proxy_temp_path ${folder}/b; fastcgi_temp_path ${folder}/c; uwsgi_temp_path ${folder}/d; scgi_temp_path ${folder}/e;
  server { listen 127.0.0.1:${port}; location / { proxy_pass http://127.0.0.1:${bridge}; proxy_set_header Host $http_host; ${location} } }
}`
const runNginx = (file: string): string[] => ['-c', file, '-p', dirname(file), '-e', join(dirname(file), 'error.log')]

const haproxy =
  (option: string) =>
  ({ port, bridge }: { port: number; bridge: number }): string =>
    `
defaults
  mode http
  ${option}
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend front
  bind 127.0.0.1:${port}
  default_backend bridge
backend bridge
  server bridge 127.0.0.1:${bridge}
`
const runHaproxy = (file: string): string[] => ['-db', '-f', file]

const squidName = (file: string): string => basename(dirname(file)).replaceAll(/[^a-z0-9]/gi, '')

export const PROXY_KINDS: readonly ProxyKind[] = [
  {
    // HTTP/1.0 to the bridge, no upgrades, answers held back unless they say no, bodies of at most 1 MB.
    name: 'nginx as it comes',
    side: 'reverse',
    streams: true,
    program: 'nginx',
    config: nginx(''),
    args: runNginx,
  },
  {
    name: 'nginx that buffers whatever answers say',
    side: 'reverse',
    streams: false,
    program: 'nginx',
    config: nginx('proxy_ignore_headers X-Accel-Buffering;'),
    args: runNginx,
  },
  {
    name: 'nginx over HTTP/1.1, no buffers, bodies of at most 40 KB',
    side: 'reverse',
    streams: true,
    program: 'nginx',
    config: nginx('proxy_http_version 1.1; proxy_buffering off; proxy_request_buffering off; client_max_body_size 40k;'),
    args: runNginx,
  },
  // It may hold back the end of a piece for 200 ms, unless told otherwise.
  { name: 'HAProxy as it comes', side: 'reverse', streams: true, program: 'haproxy', config: haproxy(''), args: runHaproxy },
  {
    name: 'HAProxy without delays',
    side: 'reverse',
    streams: true,
    program: 'haproxy',
    config: haproxy('option http-no-delay'),
    args: runHaproxy,
  },
  {
    name: 'Caddy',
    side: 'reverse',
    streams: true,
    program: 'caddy',
    config: ({ folder, port, bridge }) => `
{
  admin off
  auto_https off
  storage file_system ${folder}
}
http://127.0.0.1:${port} {
  bind 127.0.0.1
  reverse_proxy 127.0.0.1:${bridge}
}
`,
    args: (file) => ['run', '--adapter', 'caddyfile', '--config', file],
  },
  {
    name: 'Squid',
    side: 'forward',
    streams: true,
    program: 'squid',
    config: ({ folder, port }) => `
http_port 127.0.0.1:${port}
http_access allow all
cache deny all
pid_filename ${folder}/pid
cache_log ${folder}/cache.log
access_log none
coredump_dir ${folder}
visible_hostname proxy.test
shutdown_lifetime 0 seconds
max_filedescriptors 1024
`,
    // Its shared memory has the name of the service, and outlives a program that is killed.
    args: (file) => ['-N', '-n', squidName(file), '-f', file],
    leaves: (file) => globSync(`/dev/shm/${squidName(file)}-*`),
  },
  {
    name: 'Tinyproxy',
    side: 'forward',
    streams: true,
    program: 'tinyproxy',
    config: ({ folder, port }) => `
Port ${port}
Listen 127.0.0.1
Timeout 60
MaxClients 50
LogFile "${folder}/log"
PidFile "${folder}/pid"
`,
    args: (file) => ['-d', '-c', file],
  },
]

export async function startRealProxy(kind: ProxyKind, bridge: number): Promise<RealProxy> {
  const folder = await mkdtemp(join(tmpdir(), 'footbridge-proxy-'))
  // Started by root, Squid works as another user.
  await chmod(folder, 0o777)
  const file = join(folder, 'config')
  const port = await freePort()
  await writeFile(file, kind.config({ folder, port, bridge }))
  let child: ChildProcess | undefined

  const start = async (): Promise<void> => {
    const started = spawn(kind.program, kind.args(file), {
      stdio: ['ignore', 'pipe', 'pipe'],
      // Where Debian puts most of them, and not every person's shell looks.
      env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` },
    })
    child = started
    let output = ''
    for (const stream of [started.stdout, started.stderr])
      stream.on('data', (data: Buffer) => (output = (output + data.toString()).slice(-2_000)))
    const ended = new Promise<never>((_resolve, reject) => {
      started.once('error', reject)
      started.once('exit', (code) => reject(new Error(`${kind.name} ended with ${String(code)}: ${output}`)))
    })
    ended.catch(() => {})
    await Promise.race([listens(port), ended])
  }
  const end = async (): Promise<void> => {
    const ending = child
    child = undefined
    if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return
    const exited = new Promise((resolve) => ending.once('exit', resolve))
    ending.kill('SIGKILL')
    await exited
  }

  await start()
  return {
    origin: `http://127.0.0.1:${kind.side === 'reverse' ? port : bridge}`,
    fetch: kind.side === 'reverse' ? fetch : fetchThrough(port),
    async restart() {
      await end()
      await start()
    },
    async stop() {
      await end()
      for (const path of [folder, ...(kind.leaves?.(file) ?? [])]) await rm(path, { recursive: true, force: true })
    },
  }
}

/** `fetch` as a browser's that was told of a proxy; Node's own can be told so only at its start. As much of it as the tunnel uses. */
function fetchThrough(proxyPort: number): typeof fetch {
  return (url, init = {}) =>
    new Promise<Response>((resolve, reject) => {
      const { signal, method = 'GET', headers, body } = init
      const target = url as string
      const asking = ask(
        {
          host: '127.0.0.1',
          port: proxyPort,
          method,
          path: target,
          headers: {
            ...(headers as Record<string, string>),
            host: new URL(target).host,
            'content-length': (body as Uint8Array | undefined)?.length ?? 0,
          },
          ...(signal ? { signal } : {}),
        },
        (answer) => {
          const answered = new Headers(Object.entries(answer.headers).map(([name, value]) => [name, String(value)]))
          resolve(
            new Response(Readable.toWeb(answer) as ReadableStream<Uint8Array>, { status: answer.statusCode ?? 502, headers: answered }),
          )
        },
      )
      asking.once('error', reject)
      asking.end(body)
    })
}

const START_MS = 10_000

async function listens(port: number): Promise<void> {
  for (const deadline = performance.now() + START_MS; ;) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy()
        resolve(true)
      })
      socket.once('error', () => setTimeout(() => resolve(false), 20))
    })
    if (isOpen) return
    if (performance.now() > deadline) throw new Error(`nothing listens on port ${port} after ${START_MS} ms`)
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
