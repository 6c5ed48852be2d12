/** The real commands in processes of their own, and stock libp2p peers that are given what they print. */
import { createServer, type AddressInfo } from 'node:net'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createRendezvousClient } from '@footbridge/protocols/rendezvous/rendezvous-client'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, expect, it } from 'vitest'
import { createRoleBench } from '../roles/test-roles.ts'
import { runCommand, type RunningCommand } from './test-command.ts'

const bench = createRoleBench()
const commands: RunningCommand[] = []
afterEach(async () => {
  await Promise.all(commands.splice(0).map((command) => command.stop()))
  await bench.end()
})

async function run(...args: string[]): Promise<RunningCommand> {
  const command = await runCommand(args, 'Ctrl+C stops it.')
  commands.push(command)
  return command
}

const printed = ({ out }: RunningCommand, pattern: RegExp): string => pattern.exec(out())?.[1] ?? ''
const TCP = /address {4}(\/ip4\/\S+\/tcp\/\d+\/p2p\/\S+)/
const HTTP = /HTTP {7}(\S+)/

// A process of its own starts in seconds, on a machine that may be busy.
const timeout = 60_000

it('footbridge relay: a stock peer reserves at the printed address and is called; it stops when asked to', { timeout }, async () => {
  const relay = await run('relay', '--port', '0', '--p2p-port', '0', '--data-dir', await bench.dataDir())
  expect(relay.out()).toContain('Footbridge relay for anybody, with small limits')
  const address = printed(relay, TCP)
  const alice = await bench.startPeer([`${address}/p2p-circuit`])
  const bob = await bench.startPeer()
  await bob.dial(multiaddr(`${address}/p2p-circuit/p2p/${alice.peerId.toString()}`))
  const http = printed(relay, HTTP)
  expect(await (await fetch(`${http}/healthz`)).text()).toBe('ok')
  const metrics = await (await fetch(`${http}/metrics`)).text()
  expect(metrics).toContain('relay_reservations_total{result="accepted",status="OK"} 1\n')
  expect(metrics).toContain('relay_circuits_total{result="accepted",status="OK"} 1\n')
  // Of the process: CPU, memory, and how late timers are.
  for (const name of ['process_cpu_seconds_total', 'process_resident_memory_bytes', 'nodejs_eventloop_lag_p99_seconds'])
    expect(metrics).toContain(`\n${name} `)
  // The log has the whole addresses too, for whoever reads only that.
  expect(relay.err()).toContain(`"${address}"`)
  expect(await relay.stop()).toBe(0)
  await expect(fetch(`${http}/healthz`)).rejects.toThrow()
})

it('footbridge rendezvous: a peer registers at the printed address and another finds it there', { timeout }, async () => {
  const point = await run('rendezvous', '--port', '0', '--p2p-port', '0', '--data-dir', await bench.dataDir())
  const at = multiaddr(printed(point, TCP))
  const keys = await Promise.all([generateKeyPair('Ed25519'), generateKeyPair('Ed25519')])
  const [alice, bob] = await Promise.all(
    keys.map(async (privateKey) => {
      const node = await bench.startPeer(['/ip4/127.0.0.1/tcp/0'], privateKey)
      return createRendezvousClient({ node, privateKey, addresses: () => node.getMultiaddrs() })
    }),
  )
  await alice!.register(at, 'footbridge')
  expect((await bob!.discover(at, { namespace: 'footbridge' })).found).toMatchObject([{ namespace: 'footbridge' }])
  const metrics = await (await fetch(`${printed(point, HTTP)}/metrics`)).text()
  expect(metrics).toContain('rendezvous_registrations_total{result="registered"} 1\n')
  expect(metrics).toContain('rendezvous_discover_total{result="served"} 1\n')
  expect(await point.stop()).toBe(0)
})

it('a role takes its settings from a file, and says in one line what cannot work', { timeout }, async () => {
  const dataDir = await bench.dataDir()
  const file = join(dataDir, 'relay.toml')
  const taken = createServer()
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
  const { port } = taken.address() as AddressInfo
  writeFileSync(file, `data-dir = ${JSON.stringify(dataDir)}\nport = 0\np2p-port = 0\nmetrics = "off"\n`)
  const relay = await run('relay', '--config', file)
  expect((await fetch(`${printed(relay, HTTP)}/metrics`)).status).toBe(404)
  await expect(run('relay', '--config', file)).rejects.toThrow(
    /^it ended with 1: footbridge: another bridge or role is running on [^\n]*\n$/,
  )
  await relay.stop()
  await expect(run('relay', '--config', file, '--p2p-port', String(port))).rejects.toThrow(
    new RegExp(`^it ended with 1: footbridge: port ${port} on 127.0.0.1 is taken: [^\\n]*--p2p-port or --listen-addrs\\n$`),
  )
  writeFileSync(file, 'guests = true\n')
  await expect(run('relay', '--config', file)).rejects.toThrow(/^it ended with 1: footbridge: [^\n]*guests is not a setting[^\n]*\n$/)
  await new Promise((resolve) => taken.close(resolve))
})
