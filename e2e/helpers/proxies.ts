/**
 * Installs what other people's servers the tests need, where the machine has none of the kind: the proxies that the tunnel is tried with
 * (apps/bridge/src/test-real-proxies.ts), a TURN server (apps/bridge/src/test-coturn.ts), and what makes a NAT.
 */
import { ensurePrograms } from '../../scripts/debian.ts'

/** Programs and the packages of Debian that bring them. */
const PROXIES = {
  nginx: 'nginx-light',
  squid: 'squid-openssl',
  tinyproxy: 'tinyproxy',
  haproxy: 'haproxy',
  caddy: 'caddy',
  turnserver: 'coturn',
  nft: 'nftables',
} as const

type Program = keyof typeof PROXIES

/** @param wanted all of them, unless told otherwise. @throws when some are missing and cannot be installed, with what to do. */
export function ensureProxies(wanted: readonly Program[] = Object.keys(PROXIES) as Program[]): void {
  ensurePrograms(Object.fromEntries(wanted.map((program) => [program, PROXIES[program]])))
}
