/**
 * A network namespace of its own for a bridge, joined to ours by one cable that can be cut without a word: packets go in and nothing comes back, as in a
 * lift. A refused connection would be easier, because it says so at once.
 * Needs the right to make namespaces (namespace.ts); it ends with the last process in it.
 */
import { execFileSync, spawn } from 'node:child_process'

export interface FarNetwork {
  /** Where a bridge in it listens. */
  readonly address: string
  /** `command`, wrapped so that it runs there. */
  within(command: readonly string[]): readonly string[]
  /** Packets vanish for so long; ends when they pass again. */
  cutFor(seconds: number): Promise<void>
  close(): void
}

/** @param number of this network among those that are open: 1 to 200 */
export async function openFarNetwork(number = 1): Promise<FarNetwork> {
  const holder = spawn('unshare', ['--net', 'sleep', 'infinity'], { stdio: 'ignore' })
  const enter = ['nsenter', `--net=/proc/${holder.pid ?? 0}/ns/net`] as const
  const subnet = `10.9.${number}`
  const [here, address] = [`${subnet}.1`, `${subnet}.2`]
  const [plug, socket] = [`near${number}`, `far${number}`]
  const near = (script: string): string => execFileSync('sh', ['-c', script], { encoding: 'utf8' })
  const far = (script: string): string => execFileSync(enter[0], [enter[1], 'sh', '-c', script], { encoding: 'utf8' })
  const cardOf = (links: string): string => /([0-9a-f]{2}(:[0-9a-f]{2}){5}) /.exec(links)?.[1] ?? ''
  await new Promise<void>((resolve, reject) => {
    holder.once('error', reject)
    // `unshare` has done its work once the namespace differs from ours.
    const timer = setInterval(() => {
      if (near(`readlink /proc/${holder.pid ?? 0}/ns/net`) === near('readlink /proc/self/ns/net')) return
      clearInterval(timer)
      resolve()
    }, 10)
  })
  // Its link-local address would come a second or two later, when a browser loads its page already: a change of network, at which Chromium tears all requests.
  const noLateAddress = (device: string): string => `sysctl -qw net.ipv6.conf.${device}.disable_ipv6=1`
  near(
    `ip link add ${plug} type veth peer name ${socket} && ip link set ${socket} netns ${holder.pid ?? 0} && ${noLateAddress(plug)} && ip addr add ${here}/24 dev ${plug} && ip link set ${plug} up`,
  )
  far(
    `ip link set lo up && ${noLateAddress(socket)} && ip addr add ${address}/24 dev ${socket} && ip link set ${socket} up && sysctl -qw net.ipv4.conf.${socket}.rp_filter=1`,
  )
  // A neighbour that does not answer would be reported as unreachable after a while; a lift reports nothing.
  near(`ip neigh replace ${address} lladdr ${cardOf(far(`ip -br link show ${socket}`))} dev ${plug} nud permanent`)
  far(`ip neigh replace ${here} lladdr ${cardOf(near(`ip -br link show ${plug}`))} dev ${socket} nud permanent`)
  return {
    address,
    within: (command) => [...enter, ...command],
    // Sent nowhere, and for what comes in the reverse path is missing: dropped both ways.
    async cutFor(seconds) {
      far(`ip route add blackhole ${here}/32`)
      await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
      far(`ip route del blackhole ${here}/32`)
    },
    close() {
      near(`ip link del ${plug}`)
      holder.kill()
    },
  }
}
