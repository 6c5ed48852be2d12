/**
 * A whole program on the network: it answers whoever asks, by a stream or on a topic. `node e2e/programs/echo.ts '<login link>'`, and from any libp2p peer
 * dial the address that it prints. Shown in packages/client/README.md, run by programs.test.ts.
 */
import { connect } from '@footbridge/client/programs/connect'
import { lpStream } from '@libp2p/utils'

const client = await connect({ token: process.argv[2] ?? '', name: 'echo' })
process.once('SIGTERM', () => void client.close())

await client.handle('/echo/1.0.0', async ({ stream }) => {
  const frames = lpStream(stream)
  await frames.write(await frames.read())
  await stream.close()
})
await client.subscribe('echo')

for await (const event of client.events) {
  if (event.type === 'listeningOn') process.stdout.write(`${event.address}\n`)
  if (event.type === 'streamOpened') process.stdout.write(`${event.peer} opened ${event.protocol}\n`)
  if (event.type === 'message') await client.publish('echo answers', event.message.data).catch(() => undefined)
}
