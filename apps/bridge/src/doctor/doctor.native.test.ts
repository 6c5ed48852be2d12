/**
 * The doctor where WebTransport runs: a session with the certificate that a login names, to the end of noise.
 */
import { createServer, type AddressInfo } from 'node:net'
import { loadBinding } from '@footbridge/listeners/webtransport/binding'
import { afterEach, expect, it } from 'vitest'
import { createBench } from '../test-bridge.ts'
import { dial } from './dial.ts'
import { complaints, examine } from './test-operator.ts'

const bench = createBench()
afterEach(() => bench.end())

it('finds WebTransport answering on this machine and at the public address', async () => {
  const port = String(await freePort())
  const bridge = await bench.startBridge({ port, publicUrl: `http://127.0.0.1:${port}` }, { webTransport: loadBinding() })
  const findings = await examine(bridge, { wantsWebTransport: true })
  expect(complaints(findings).filter((each) => !/machine|clock|public\/(name|announced)/.test(each))).toEqual([])
  expect(
    findings.filter(({ id, found }) => id === 'webtransport' || (id === 'first-hop' && found.includes('/webtransport'))),
  ).toMatchObject([
    { area: 'ports', state: 'ok', found: expect.stringMatching(/^UDP \d+ answers, noise handshake in \d+ ms$/) },
    { area: 'public', state: 'ok', found: expect.stringMatching(/^\/ip4\/127\.0\.0\.1\/udp\/\d+\/quic-v1\/webtransport answers, noise/) },
  ])
  expect(findings.filter(({ id, found }) => id === 'announced' && found.includes('/webtransport'))).toMatchObject([
    {
      state: 'warning',
      found: expect.stringMatching(/^\/ip4\/127\.0\.0\.1\/udp\/\d+\/quic-v1\/webtransport answers, but only this machine reaches it$/),
    },
  ])
  expect(findings.filter(({ id }) => id === 'webtransport-module')).toMatchObject([{ state: 'ok' }])
})

it('is not content with another certificate, nor with another peer', async () => {
  const [one, other] = [
    await bench.startBridge({}, { webTransport: loadBinding() }),
    await bench.startBridge({}, { webTransport: loadBinding() }),
  ]
  const hopOf = async (bridge: typeof one): Promise<string> =>
    (await bench.startBrowser(bridge, 'Alice')).session.firstHops.find((hop) => hop.includes('/webtransport/')) ?? ''
  const [good, foreign] = [await hopOf(one), await hopOf(other)]
  expect(await dial(good)).toBeGreaterThan(0)
  await expect(dial(good.replace(/\/certhash.*\/p2p/, `${/\/certhash.*(?=\/p2p)/.exec(foreign)?.[0]}/p2p`))).rejects.toThrow()
  await expect(dial(good.replace(one.peer, other.peer))).rejects.toThrow()
})

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
