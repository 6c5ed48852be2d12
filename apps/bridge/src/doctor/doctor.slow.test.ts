/**
 * The doctor behind a real nginx, as Debian packages it: one that does all it should, and ones that forget a thing each. The command itself, in a process of its own.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { startRealProxy } from '../test-real-proxies.ts'
import type { Finding } from './finding.ts'

const BIN = fileURLToPath(new URL('../../bin/footbridge.mjs', import.meta.url))
const fixture = (name: string): string => fileURLToPath(new URL(`../http/fixtures/${name}`, import.meta.url))
/** The browsers of this test know the fixture's authority. */
const env = { PATH: process.env['PATH'] ?? '', NODE_EXTRA_CA_CERTS: fixture('first-cert.pem') }

const cleanups: (() => Promise<unknown> | void)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const UPGRADES = 'proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;'
const HOST = 'proxy_set_header Host $http_host;'
const HEADERS = 'proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;'

interface Report {
  readonly code: number | null
  readonly errors: number
  readonly findings: readonly Finding[]
}

/** A bridge behind nginx with this in its location, and what the doctor says of it. */
async function examineBehind(location: string, flags: readonly string[] = ['--trusted-proxies', '127.0.0.1']): Promise<Report> {
  const [port, p2pPort] = [await freePort(), await freePort()]
  const proxy = await startRealProxy(
    {
      name: 'nginx',
      side: 'reverse',
      streams: true,
      program: 'nginx',
      config: ({ folder, port: front, bridge }) => `
daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/error.log;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path ${folder}/a; proxy_temp_path ${folder}/b; fastcgi_temp_path ${folder}/c; uwsgi_temp_path ${folder}/d; scgi_temp_path ${folder}/e;
  map $http_upgrade $connection_upgrade { default upgrade; '' close; }
  server {
    listen 127.0.0.1:${front} ssl; ssl_certificate ${fixture('first-cert.pem')}; ssl_certificate_key ${fixture('first-key.pem')};
    location / { proxy_pass http://127.0.0.1:${bridge}; ${location} }
  }
}`,
      args: (file) => ['-c', file, '-p', join(file, '..'), '-e', join(file, '../error.log')],
    },
    port,
  )
  cleanups.push(() => proxy.stop())
  const publicUrl = proxy.origin.replace('http://127.0.0.1', 'https://localhost')
  const dataDir = await mkdtemp(join(tmpdir(), 'footbridge-doctor-'))
  cleanups.push(() => rm(dataDir, { recursive: true, force: true }))
  const ports = ['--port', String(port), '--p2p-port', String(p2pPort)]
  const bridge = spawn(process.execPath, [BIN, ...ports, '--data-dir', dataDir, '--public-url', publicUrl, '--wt-port', 'off', ...flags], {
    env,
  })
  cleanups.push(() => end(bridge))
  await new Promise<void>((resolve, reject) => {
    let output = ''
    bridge.stdout.on('data', (data: Buffer) => {
      output += data.toString()
      if (output.includes('Ctrl+C stops the bridge')) resolve()
    })
    bridge.stderr.on('data', (data: Buffer) => (output += data.toString()))
    bridge.once('exit', () => reject(new Error(output)))
  })
  return runDoctor(dataDir)
}

async function runDoctor(dataDir: string): Promise<Report> {
  const doctor = spawn(process.execPath, [BIN, 'doctor', '--json', '--data-dir', dataDir], { env })
  let out = ''
  doctor.stdout.on('data', (data: Buffer) => (out += data.toString()))
  doctor.stderr.on('data', (data: Buffer) => (out += data.toString()))
  const code = await new Promise<number | null>((resolve) => doctor.once('close', resolve))
  return { code, ...(JSON.parse(out) as { errors: number; findings: Finding[] }) }
}

/** Of what the public address and its proxy are asked; the machine is this one's affair. */
function faults({ findings }: Report): string[] {
  const ofOthers = findings.filter(({ area, state }) => ['certificate', 'public', 'proxy', 'ports'].includes(area) && state !== 'ok')
  // The name is localhost, and no address is announced: true, and meant here.
  return ofOthers.filter(({ id }) => !['name', 'announced'].includes(id)).map(({ area, id, state }) => `${area}/${id} ${state}`)
}

describe('behind nginx', { timeout: 60_000 }, () => {
  it('with all that it needs, nothing is wrong', async () => {
    const report = await examineBehind(`${UPGRADES} ${HOST} ${HEADERS}`)
    expect(faults(report)).toEqual([])
    expect(report).toMatchObject({ code: 0, errors: 0 })
    expect(report.findings.find(({ id }) => id === 'forwarded')?.found).toBe('the proxy at 127.0.0.1 says who asks and how, and is trusted')
  })

  it('that strips upgrades, it says so and what to write', async () => {
    const report = await examineBehind(`${HOST} ${HEADERS}`)
    expect(faults(report)).toEqual(['public/upgrade error', 'public/first-hop error'])
    expect(report.code).toBe(1)
    expect(report.findings.find(({ id }) => id === 'upgrade')?.advice).toContain('proxy_set_header Upgrade $http_upgrade')
  })

  it('that sets no headers, it says so', async () => {
    const { findings } = await examineBehind(UPGRADES)
    const found = findings.filter(({ id }) => id === 'forwarded').map(({ found: text }) => text)
    expect(found).toEqual([expect.stringContaining('X-Forwarded-For'), expect.stringContaining('X-Forwarded-Proto')])
  })

  it('that is not trusted, it says whom to trust', async () => {
    const { findings } = await examineBehind(`${UPGRADES} ${HOST} ${HEADERS}`, [])
    expect(findings.filter(({ id }) => id === 'forwarded')).toMatchObject([
      { state: 'error', advice: 'trust it: --trusted-proxies 127.0.0.1' },
    ])
  })

  it('that holds streams back and refuses bodies, it says both', async () => {
    const report = await examineBehind(`${UPGRADES} ${HOST} ${HEADERS} proxy_ignore_headers X-Accel-Buffering; client_max_body_size 40k;`)
    expect(faults(report)).toEqual(['proxy/streams warning', 'proxy/bodies error'])
  })
})

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  const exited = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await exited
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
