/**
 * STUN and TURN with other people's programs: coturn's client asks our STUN, coturn's server takes our credentials.
 */
import { spawn } from 'node:child_process'
import { afterEach, describe, expect, it } from 'vitest'
import { complaints, examine } from './doctor/test-operator.ts'
import { createBench } from './test-bridge.ts'
import { startCoturn } from './test-coturn.ts'

const bench = createBench()
afterEach(() => bench.end())

it('coturn’s STUN client learns its address from the bridge', { timeout: 30_000 }, async () => {
  const bridge = await bench.startBridge()
  // Somebody has logged in from here; else its one bare request would have to be sent twice.
  await bench.startBrowser(bridge, 'Alice')
  for (const port of bridge.stunPorts) {
    const client = spawn('turnutils_stunclient', ['-p', String(port), '127.0.0.1'])
    let output = ''
    for (const stream of [client.stdout, client.stderr]) stream.on('data', (data: Buffer) => (output += data.toString()))
    await new Promise((resolve) => client.once('close', resolve))
    expect(output).toMatch(/UDP reflexive addr: 127\.0\.0\.1:\d+/)
  }
})

describe('with a real coturn', () => {
  it('the doctor gets a relay with the credentials of a login, over UDP and TCP', { timeout: 30_000 }, async () => {
    const coturn = await startCoturn('north')
    bench.cleanups.push(() => coturn.stop())
    const turnUrls = `turn:127.0.0.1:${coturn.port},turn:127.0.0.1:${coturn.port}?transport=tcp`
    const bridge = await bench.startBridge({ turnUrls }, {}, { FOOTBRIDGE_TURN_SECRET: 'north' })
    const findings = await examine(bridge)
    expect(findings.filter(({ id }) => id === 'turn')).toMatchObject([{ state: 'ok' }, { state: 'ok' }])
    expect(complaints(findings)).toEqual(['clock/clock unknown'])
    expect(JSON.stringify(findings)).not.toContain('north')
  })

  it('the doctor sees that the secrets differ, and that nobody listens', { timeout: 30_000 }, async () => {
    const coturn = await startCoturn('south')
    bench.cleanups.push(() => coturn.stop())
    const turnUrls = `turn:127.0.0.1:${coturn.port},turn:127.0.0.1:9?transport=tcp`
    const bridge = await bench.startBridge({ turnUrls }, {}, { FOOTBRIDGE_TURN_SECRET: 'north' })
    expect((await examine(bridge)).filter(({ id }) => id === 'turn')).toMatchObject([
      { state: 'error', found: expect.stringContaining('401'), advice: expect.stringContaining('same secret') },
      { state: 'error', found: expect.stringContaining('nothing listens there') },
    ])
  })
})
