/**
 * For tests: a real TURN server, coturn as Debian packages it, without rights and on one address. Who installs it: e2e/helpers/proxies.ts.
 */
import { spawn } from 'node:child_process'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Coturn {
  readonly port: number
  readonly output: () => string
  stop(): Promise<void>
}

const NOBODY = 65_534

/** @param address one of this machine's, where it listens and relays. */
export async function startCoturn(secret: string, address = '127.0.0.1'): Promise<Coturn> {
  const folder = await mkdtemp(join(tmpdir(), 'footbridge-coturn-'))
  await chmod(folder, 0o777)
  const port = await freePort(address)
  const file = join(folder, 'turnserver.conf')
  const settings = [
    `listening-ip=${address}`,
    `listening-port=${port}`,
    `relay-ip=${address}`,
    'use-auth-secret',
    `static-auth-secret=${secret}`,
    'realm=footbridge.test',
    'no-tls',
    'no-dtls',
    'no-cli',
    'allow-loopback-peers',
    'log-file=stdout',
    'verbose',
    `pidfile=${folder}/pid`,
    `userdb=${folder}/db`,
  ]
  await writeFile(file, `${settings.join('\n')}\n`)
  const child = spawn('turnserver', ['-c', file], {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(process.getuid?.() === 0 && { uid: NOBODY, gid: NOBODY }),
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data: Buffer) => (output = (output + data.toString()).slice(-100_000)))
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL')
    await exited
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject)
      child.once('exit', (code) => reject(new Error(`coturn ended with ${String(code)}: ${output}`)))
      child.stdout.on('data', () => {
        if (/IO method|Total General servers/.test(output)) resolve()
      })
    })
  } catch (error) {
    await stop()
    throw error
  }
  return { port, output: () => output, stop }
}

async function freePort(address: string): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, address, resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
