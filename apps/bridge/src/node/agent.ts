/**
 * What our nodes say of themselves in Identify and at `/info`: the program and its version, and not, as libp2p would have it, the version of Node too.
 */
export function agentOf(version: string): string {
  return `footbridge/${version}`
}
