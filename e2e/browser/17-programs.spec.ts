/** A page of somebody else's app is a program on the network by `connect`: the same key again after a reload, dialled by a native peer, heard on a topic. */
import { join } from 'node:path'
import type { Page } from '@playwright/test'
import type { NetworkClient } from '@footbridge/client/programs/api'
import { connect } from '@footbridge/client/programs/connect'
import { build, type Rolldown } from 'vite'
import { root } from '../../scripts/steps.ts'
import { createToken } from '../helpers/cli.ts'
import { expect, test } from './fixtures.ts'

const ECHO = '/echo/1.0.0'

interface Held {
  client: NetworkClient
  heard: string[]
}
declare global {
  var held: Held
}

async function bundle(): Promise<string> {
  const lib = { entry: join(root, 'e2e/programs/page.ts'), formats: ['iife' as const], name: 'programPage' }
  const output = (await build({
    configFile: false,
    root,
    logLevel: 'error',
    build: { write: false, target: 'es2023', lib },
  })) as Rolldown.RolldownOutput[]
  const code = output[0]?.output[0].code
  if (code === undefined) throw new Error('nothing was built')
  return code
}

/** Comes in and echoes. @returns the PeerID */
async function joinIn(page: Page, origin: string, code: string, token: string | undefined): Promise<string> {
  await page.goto(`${origin}/healthz`)
  await page.evaluate(code)
  return page.evaluate(
    async ({ token, protocol }) => {
      const client = await globalThis.connectProgram?.({ ...(token !== undefined && { token }), name: 'a page' })
      if (client === undefined) throw new Error('the program is not in the page')
      const held: Held = { client, heard: [] }
      globalThis.held = held
      await client.handle(protocol, ({ stream }) => stream.addEventListener('message', ({ data }) => void stream.send(data)))
      client.events.subscribe((event) => {
        if (event.type === 'message') held.heard.push(new TextDecoder().decode(event.message.data))
      })
      await client.subscribe('harbour')
      return client.peer
    },
    { token, protocol: ECHO },
  )
}

test('a page is dialled by a program in Node, hears it on a topic, and is the same peer after a reload without its token', async ({
  bridge,
  page,
}) => {
  test.setTimeout(120_000)
  const code = await bundle()
  const { text } = await createToken(bridge, 'a page', ['--devices', '2'])
  const peer = await joinIn(page, bridge.origin, code, text)
  const { link } = await createToken(bridge, 'a program')
  const program = await connect({ token: link })
  try {
    const stream = await program.openStream(peer, ECHO)
    const echoed = new Promise<string>((resolve) => {
      stream.addEventListener('message', ({ data }) => resolve(new TextDecoder().decode(data.subarray())))
    })
    stream.send(new TextEncoder().encode('hello'))
    expect(await echoed).toBe('hello')
    await stream.close()
    await program.subscribe('harbour')
    await expect
      .poll(async () => {
        await program.publish('harbour', new TextEncoder().encode('a ship')).catch(() => undefined)
        return page.evaluate(() => globalThis.held.heard)
      })
      .toContain('a ship')
    expect(await joinIn(page, bridge.origin, code, undefined)).toBe(peer)
    await page.evaluate(() => globalThis.held.client.close())
  } finally {
    await program.close()
  }
})
