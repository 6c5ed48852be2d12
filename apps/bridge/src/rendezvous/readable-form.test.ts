/** Which form of record who is given, by what little is known. That clients cannot do with the other: e2e/interop, `rendezvous-ours`. */
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { IdentifyResult, Peer, PeerId } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { beforeEach, expect, test } from 'vitest'
import { readableForm, type IdentifyingNode } from './readable-form.ts'

interface Told {
  readonly agent?: string
  readonly record?: boolean
}

let alice: PeerId

beforeEach(async () => {
  alice = peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
})

class FakeNode extends EventTarget {
  told: Told | undefined
  listeners = 0

  constructor(told?: Told) {
    super()
    this.told = told
  }

  readonly peerStore = {
    get: async (): Promise<Peer> => {
      if (this.told === undefined) throw new Error('not found')
      const { agent, record = false } = this.told
      return {
        metadata: new Map(agent === undefined ? [] : [['AgentVersion', new TextEncoder().encode(agent)]]),
        ...(record && { peerRecordEnvelope: new Uint8Array([1]) }),
      } as unknown as Peer
    },
  }

  override addEventListener(...args: Parameters<EventTarget['addEventListener']>): void {
    this.listeners++
    super.addEventListener(...args)
  }

  override removeEventListener(...args: Parameters<EventTarget['removeEventListener']>): void {
    this.listeners--
    super.removeEventListener(...args)
  }

  identified(peerId: PeerId, told: Told): void {
    this.told = told
    this.dispatchEvent(new CustomEvent('peer:identify', { detail: { peerId } as IdentifyResult }))
  }
}

const ask = (node: FakeNode, registeredIn?: 'standard' | 'legacy', waitMs = 0): ReturnType<typeof readableForm> =>
  readableForm(node as unknown as IdentifyingNode, alice, registeredIn, waitMs)

test.each<readonly [form: 'standard' | 'legacy' | undefined, told: Told, registeredIn: 'standard' | 'legacy' | undefined, reason: string]>([
  [
    'legacy',
    { agent: 'own/1' },
    undefined,
    'of who hides its libp2p and sent no signed record, one that is Rust must be able to read the answer',
  ],
  ['legacy', { agent: 'rust-libp2p/0.57.1', record: true }, undefined, 'Rust says that it is Rust'],
  ['standard', { agent: 'own/1', record: true }, undefined, 'a signed record in the standard form'],
  ['standard', { agent: 'github.com/libp2p/go-libp2p@0.51.0' }, undefined, 'go says that it is go'],
  ['standard', { agent: 'js-libp2p/3.3.11 node/24' }, undefined, 'JavaScript says that it is JavaScript'],
  ['standard', { agent: 'own/1' }, 'standard', 'it is registered in it'],
  ['legacy', { agent: 'own/1', record: true }, 'legacy', 'it is registered in it'],
  [undefined, { agent: 'footbridge/0.1.0', record: true }, 'standard', 'ours reads both'],
  ['legacy', { agent: 'footbridge-chat/1' }, undefined, 'not ours, though it begins so'],
  ['legacy', {}, undefined, 'identify has not told of it, or not of an agent'],
])('%s for %o, registered in %s: %s', async (form, told, registeredIn) => {
  expect(await ask(new FakeNode(told), registeredIn)).toBe(form)
})

test('who asks ahead of identify is answered by what it tells then', async () => {
  const node = new FakeNode()
  const answer = ask(node, undefined, 60_000)
  await expect.poll(() => node.listeners).toBe(1)
  node.identified(peerIdFromPrivateKey(await generateKeyPair('Ed25519')), { agent: 'somebody else' })
  node.told = undefined
  node.identified(alice, { agent: 'own/1', record: true })
  expect(await answer).toBe('standard')
  expect(node.listeners).toBe(0)
})

test('who is never identified is given the legacy form, and nothing is left listening', async () => {
  const node = new FakeNode()
  expect(await ask(node)).toBe('legacy')
  expect(node.listeners).toBe(0)
})
