/** Posts a login to the bridge from a machine of the lab, for a peer that cannot. Its argument is JSON; it prints one event with the answer. */
import { readFileSync } from 'node:fs'
import { request } from 'node:https'

export interface LogInTask {
  readonly url: string
  /** A file: who signs for the bridge's name. */
  readonly authority: string
  readonly body: string
}

const { url, authority, body } = JSON.parse(process.argv[2] ?? '{}') as LogInTask
const options = { method: 'POST', ca: readFileSync(authority), headers: { 'content-type': 'application/json' }, timeout: 30_000 }
const asked = request(url, options, (response) => {
  let text = ''
  response.setEncoding('utf8')
  response.on('data', (chunk: string) => (text += chunk))
  response.once('end', () => say({ status: response.statusCode, text }))
})
asked.once('timeout', () => asked.destroy(new Error('no answer')))
asked.once('error', (error) => say({ status: 0, text: error.message }))
asked.end(body)

function say(answer: { readonly status: number | undefined; readonly text: string }): void {
  process.stdout.write(`${JSON.stringify({ event: 'answer', ...answer })}\n`)
}
