/**
 * What a login tells browsers for direct connections, taken by real browsers: the bridge's own STUN through a NAT, and a real TURN server with the session's credentials.
 */
import { execFileSync } from 'node:child_process'
import { visit } from '../../apps/bridge/src/doctor/visit.ts'
import { startCoturn } from '../../apps/bridge/src/test-coturn.ts'
import { notIn } from '../engines/not-in.ts'
import { createToken } from '../helpers/cli.ts'
import { openFarNetwork } from '../helpers/far-network.ts'
import { startBridge, type Bridge } from '../helpers/start-bridge.ts'
import { expect, test } from './fixtures.ts'

const NO_WEBRTC = { webkit: 'WebKitGTK has no WebRTC' }

type IceServers = Awaited<ReturnType<typeof visit>>['session']['iceServers']

/** As the app does it: what this bridge tells whoever logs in now. */
async function logIn(bridge: Bridge): Promise<IceServers> {
  const { text } = await createToken(bridge, 'alice')
  const { peer } = (await (await fetch(`${bridge.origin}/api/v1/bridge`)).json()) as { peer: string }
  return (await visit(bridge.origin, peer, text, Date.now())).session.iceServers
}

test('the bridge tells a browser behind a NAT its address, on two ports, at the first request', notIn(NO_WEBRTC), async ({ page }) => {
  const far = await openFarNetwork(40)
  const nat = ['table', 'ip', 'footbridge_nat']
  const bridge = await startBridge([], {}, far)
  try {
    // What leaves by this cable has other ports outside than inside.
    execFileSync('nft', ['-f', '-'], {
      input: `add ${nat.join(' ')}
add chain ip footbridge_nat post { type nat hook postrouting priority 100; }
add rule ip footbridge_nat post oifname "near40" meta l4proto udp snat to 10.9.40.1:40000-40099
`,
    })
    const [own] = await logIn(bridge)
    expect(own?.urls).toEqual([`stun:10.9.40.2:${bridge.port}`, `stun:10.9.40.2:${bridge.p2pPort}`])
    await page.goto(`${bridge.origin}/healthz`)
    for (const url of own?.urls ?? []) {
      const candidate = await page.evaluate(async (urls) => {
        const connection = new RTCPeerConnection({ iceServers: [{ urls }] })
        connection.createDataChannel('')
        const found = new Promise<string>((resolve) => {
          connection.addEventListener('icecandidate', ({ candidate: each }) => {
            if (each === null) resolve('none')
            else if (each.type === 'srflx') resolve(`${each.address}:${each.port}`)
          })
        })
        await connection.setLocalDescription()
        const address = await found
        connection.close()
        return address
      }, url)
      expect(candidate).toMatch(/^10\.9\.40\.1:400\d\d$/)
    }
  } finally {
    execFileSync('nft', ['delete', ...nat], { stdio: 'ignore' })
    await bridge.remove()
    far.close()
  }
})

test(
  'two pages that may use nothing else talk over a real one, with the credentials of a session',
  notIn(NO_WEBRTC),
  async ({ page, context }) => {
    const address = '10.9.0.1'
    const coturn = await startCoturn('north', address)
    const bridge = await startBridge(['--turn-url', `turn:${address}:${coturn.port}`], { FOOTBRIDGE_TURN_SECRET: 'north' })
    try {
      const turn = (await logIn(bridge)).filter(({ credential }) => credential !== undefined)
      expect(turn).toMatchObject([{ urls: [`turn:${address}:${coturn.port}`], username: expect.stringMatching(/^\d{10}:12D3Koo/) }])
      const [alice, bob] = [page, await context.newPage()]
      for (const each of [alice, bob]) await each.goto(`${bridge.origin}/healthz`)
      // Trickled by way of this test: each side's description with all its candidates.
      const offer = await alice.evaluate(open, turn)
      const answer = await bob.evaluate(reply, { turn, offer })
      expect(`${offer}${answer}`).not.toMatch(/typ (host|srflx)/)
      expect(await alice.evaluate(talk, answer)).toBe('alice says hello, bob has heard it')
      expect(coturn.output()).toContain('ALLOCATE processed, success')
      expect(bridge.output).not.toContain('north')
    } finally {
      await bridge.remove()
      await coturn.stop()
    }
  },
)

declare global {
  interface Window {
    connection: RTCPeerConnection
    channel: RTCDataChannel
  }
}

async function open(iceServers: IceServers): Promise<string> {
  const connection = new RTCPeerConnection({ iceServers: iceServers as RTCIceServer[], iceTransportPolicy: 'relay' })
  window.connection = connection
  window.channel = connection.createDataChannel('talk')
  await connection.setLocalDescription()
  while (connection.iceGatheringState !== 'complete')
    await new Promise((resolve) => connection.addEventListener('icegatheringstatechange', resolve, { once: true }))
  return connection.localDescription?.sdp ?? ''
}

async function reply({ turn, offer }: { turn: IceServers; offer: string }): Promise<string> {
  const connection = new RTCPeerConnection({ iceServers: turn as RTCIceServer[], iceTransportPolicy: 'relay' })
  window.connection = connection
  connection.addEventListener('datachannel', ({ channel }) => {
    channel.addEventListener('message', ({ data }) => channel.send(`${data}, bob has heard it`))
  })
  await connection.setRemoteDescription({ type: 'offer', sdp: offer })
  await connection.setLocalDescription()
  while (connection.iceGatheringState !== 'complete')
    await new Promise((resolve) => connection.addEventListener('icegatheringstatechange', resolve, { once: true }))
  return connection.localDescription?.sdp ?? ''
}

async function talk(answer: string): Promise<string> {
  const { connection, channel } = window
  const heard = new Promise<string>((resolve) => channel.addEventListener('message', ({ data }) => resolve(String(data))))
  const opened = new Promise((resolve) => channel.addEventListener('open', resolve))
  await connection.setRemoteDescription({ type: 'answer', sdp: answer })
  await opened
  channel.send('alice says hello')
  return heard
}
