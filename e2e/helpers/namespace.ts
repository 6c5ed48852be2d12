/**
 * Commands that use WebRTC run in a network namespace of their own where we may make one: Chromium gathers no candidates on a machine that has only
 * loopback, and a bridge under test should not meet the machine's real network. A desktop, where we are not root, has an interface and runs plainly.
 * The namespace ends with the last process in it, so there is nothing to clean up.
 */
import { spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'

/** One veth pair gives an address that is not loopback; the default route makes Chromium take it for a network. */
const SETUP = [
  'ip link set lo up',
  'ip link add v0 type veth peer name v1',
  // See far-network.ts: an address that comes late is a change of network.
  'sysctl -qw net.ipv6.conf.v0.disable_ipv6=1 net.ipv6.conf.v1.disable_ipv6=1',
  'ip addr add 10.9.0.1/24 dev v0',
  'ip link set v0 up',
  'ip link set v1 up',
  'ip route add default via 10.9.0.2 dev v0',
].join(' && ')

/** Whether this user on this machine may make network namespaces and links. */
export function canMakeNamespaces(): boolean {
  return spawnSync('unshare', ['--net', 'sh', '-c', SETUP], { stdio: 'ignore' }).status === 0
}

/** `command`, wrapped so that it runs in a fresh namespace; unchanged where that is not possible. */
export function inNamespace(command: readonly string[]): readonly string[] {
  return canMakeNamespaces() ? ['unshare', '--net', 'sh', '-c', `${SETUP} && exec "$@"`, 'sh', ...command] : command
}

/** Journeys wait for processes more than they compute; still, two browsers with libp2p fill a core. */
export const workers = Math.max(1, Math.min(2, Math.floor(availableParallelism() / 2)))
