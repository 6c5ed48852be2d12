/** Whether the lab can stand on this machine: namespaces, names for them, and lines. */
import { spawnSync } from 'node:child_process'
import { canMakeNamespaces } from '../helpers/namespace.ts'

/** Undefined where it can; else the reason, without a full stop. */
export function whyNotHere(): string | undefined {
  if (!canMakeNamespaces()) return 'this user on this machine may not make network namespaces'
  const can = (script: string): boolean => spawnSync('unshare', ['--net', '--mount', 'sh', '-c', script], { stdio: 'ignore' }).status === 0
  if (!can('ip link add name line type vxlan id 1 dstport 4789')) return 'this kernel has no VXLAN, of which the lab makes its lines'
  const name = `fblab${process.pid}-try`
  if (spawnSync('ip', ['netns', 'add', name], { stdio: 'ignore' }).status !== 0)
    return 'this user on this machine may not name network namespaces'
  spawnSync('ip', ['netns', 'del', name], { stdio: 'ignore' })
  return undefined
}
