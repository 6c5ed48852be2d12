/**
 * What a session gets for the operator's TURN server. A real coturn takes them in turn.slow.test.ts.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { readSecret } from './read-secret.ts'
import { createTurnCredentials } from './turn-credentials.ts'

const HOUR = 3_600_000
const NOW = Date.UTC(2026, 10, 21)
const URLS = ['turn:turn.example:3478', 'turns:turn.example:5349?transport=tcp']

describe('TURN credentials', () => {
  const turn = createTurnCredentials({ urls: URLS, secret: 'north', clock: () => NOW })

  it('name the PeerID and end ten minutes after the session', () => {
    const { urls, username, credential } = turn.issue({ peer: '12D3KooWAlice', sessionEndsAt: NOW + HOUR })
    expect(urls).toEqual(URLS)
    expect(username).toBe(`${(NOW + HOUR + 600_000) / 1_000}:12D3KooWAlice`)
    expect(credential).toBe(createHmac('sha1', 'north').update(username).digest('base64'))
  })

  it('end within four hours, however long the session', () => {
    expect(turn.issue({ peer: 'x', sessionEndsAt: NOW + 30 * HOUR }).username).toBe(`${(NOW + 4 * HOUR) / 1_000}:x`)
  })

  it('are those that coturn’s documentation calculates', () => {
    // printf '600:alice' | openssl dgst -sha1 -hmac north -binary | base64
    const atEnd = createTurnCredentials({ urls: URLS, secret: 'north', clock: () => 0 })
    const { username, credential } = atEnd.issue({ peer: 'alice', sessionEndsAt: 0 })
    expect([username, credential]).toEqual(['600:alice', OPENSSL_SAYS])
  })
})

const OPENSSL_SAYS = 'jOQJmM8fRx5wkVtMFQgy4DIjGpA='

describe('the secret', () => {
  it('is read from its file without the line’s end, and a file that is none is named with what to do', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'footbridge-turn-'))
    try {
      const file = join(folder, 'secret')
      await writeFile(file, 'north-by-northwest\n')
      expect(await readSecret({ file })).toBe('north-by-northwest')
      expect(await readSecret({ text: 'given' })).toBe('given')
      await expect(readSecret({ file: join(folder, 'absent') })).rejects.toThrow('there is no such file')
      for (const wrong of ['', '\n', 'two\nlines', 'x'.repeat(1_025)]) {
        await writeFile(file, wrong)
        await expect(readSecret({ file })).rejects.toThrow('one line')
      }
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
