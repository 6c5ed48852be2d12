/**
 * Whether a network is what its description says, by what a machine in it found out (probe-process.ts). Pure. A lab that is wrong about its networks would
 * be wrong about everything else.
 */
import { BRIDGE_AUTHORITY, SCHOOL_AUTHORITY } from './certificates.ts'
import { hopsFrom } from './expected.ts'
import { LANDMARK_TCP_PORTS } from './landmark.ts'
import type { Network } from './networks.ts'
import type { ProbeFacts } from './probe-process.ts'

/** How far the measured loss may be from the described: the probe counts 500 datagrams that go both ways. */
const LOSS_TOLERANCE_PERCENT = 4
export const PROBE_DATAGRAMS = 500

/** One sentence for everything that is not as described; none when all is. */
export function wrongAbout(network: Network, { udp, tcp, web }: ProbeFacts): readonly string[] {
  const wrong: string[] = []
  const expect = (isSo: boolean, sentence: string): void => {
    if (!isSo) wrong.push(`${network.name}: ${sentence}`)
  }
  const [tcp443, tcpOther] = LANDMARK_TCP_PORTS.map((port) => tcp[port])

  expect((udp !== undefined) === (network.outbound === 'everything'), `UDP is ${udp === undefined ? 'blocked' : 'let out'}`)
  if (udp !== undefined) {
    const sameOut = udp.ports[0] === udp.ports[1]
    expect(sameOut === (network.nat !== 'symmetric'), `two destinations see ${sameOut ? 'the same port' : 'two ports'}`)
    expect(udp.isOwnAddress === (network.nat === 'none'), `addresses are ${udp.isOwnAddress ? 'not ' : ''}translated`)
    const isOpen = network.nat === 'full-cone' || (network.nat === 'none' && network.inbound === 'everything')
    expect(udp.letsOthersIn === isOpen, `strangers' datagrams ${udp.letsOthersIn ? 'come in' : 'are kept out'}`)
    // There and back.
    const lost = 100 - (100 - network.lossPercent) ** 2 / 100
    expect(
      Math.abs(udp.lostPercent - lost) <= LOSS_TOLERANCE_PERCENT,
      `${udp.lostPercent.toFixed(1)} % of datagrams are lost both ways, not ${lost.toFixed(1)}`,
    )
  }

  const letsTcp = network.outbound !== 'proxy-only'
  expect((tcp443 !== undefined) === letsTcp, `TCP to port 443 is ${tcp443 === undefined ? 'blocked' : 'let out'}`)
  const letsAllTcp = letsTcp && network.outbound !== 'tcp-443'
  expect((tcpOther !== undefined) === letsAllTcp, `TCP to other ports is ${tcpOther === undefined ? 'blocked' : 'let out'}`)
  // Never faster than light; slower on a busy machine.
  if (tcp443 !== undefined) expect(tcp443 >= 2 * network.delayMs, `a round trip takes ${tcp443.toFixed(0)} ms, less than the line`)

  const letsUpgrades = hopsFrom(network).includes('websocket')
  expect(web?.health === 200, `the bridge's page is answered with ${String(web?.health)}`)
  expect((web?.upgrade === 101) === letsUpgrades, `an upgrade is answered with ${String(web?.upgrade)}`)
  const signer = network.proxy === 'intercepting' ? SCHOOL_AUTHORITY : BRIDGE_AUTHORITY
  expect(web?.issuer === signer, `the certificate is signed by ${String(web?.issuer)}`)
  return wrong
}
