/**
 * What is done by the tab that holds the peer, for itself and for the others.
 * Not here: which tab that is (tabs.ts).
 */
import { parseLogin } from '@footbridge/shared/bridge-token'
import { FootbridgeError } from '@footbridge/shared/errors'
import { loadChunk } from '../chunk.ts'
import type { Acts, TabChange } from '../tabs/messages.ts'
import type { Keep } from './keep.ts'
import type { Lifecycle } from './lifecycle.ts'

export function createActs(keep: Keep, lifecycle: Lifecycle, tell: (change: TabChange) => void): Acts {
  const { connection, findable, rooms, self, transfers, now } = keep
  const present = async () => lifecycle.present()

  return {
    async login(credential) {
      let shown = credential
      if ('token' in credential) {
        const login = parseLogin(credential.token)
        if (login === undefined) throw new FootbridgeError('token_unknown', 'that is not a bridge token or a login link')
        if (login.origin !== undefined) await lifecycle.moveTo(login.origin)
        shown = { token: login.token }
      }
      if (!('device' in shown)) connection.set({ state: 'arriving', step: 'reaching', stepStartedAt: now(), done: [] })
      await (await lifecycle.start()).login(shown)
    },
    async logout() {
      await (await lifecycle.start()).logout()
    },
    async setVisibility(visibility) {
      await self.setVisibility(visibility)
      findable.set({ ...findable.get(), choice: visibility })
      ;(await present())?.visibilityChanged()
    },
    dial: async (target) => (await lifecycle.start()).dial(target),
    async retryNow() {
      const network = await present()
      if (network) network.wake()
      else await lifecycle.resume()
    },
    upgrade: async (peer) => (await present())?.upgrade(peer),
    async fetch(offer, sources) {
      const network = await present()
      if (network) await network.fetch(offer, sources)
      else transfers.report(offer.cid, { state: 'waiting', bytesTotal: offer.size })
    },
    pause: async (cid) => (await present())?.pause(cid),
    async removeBlob(cid) {
      await (await present())?.dropTransfer(cid)
      await transfers.remove(cid)
      ;(await present())?.blobsChanged()
    },
    async importIdentity(exported, passphrase) {
      const { openIdentity } = await loadChunk(() => import('../identity-export.ts'))
      const { decodePrivateKey, peerOf } = await loadChunk(() => import('../identity.ts'))
      const opened = await openIdentity(exported, passphrase)
      if (peerOf(decodePrivateKey(opened.privateKey)) !== opened.peer)
        throw new FootbridgeError('bad_request', 'the key in the file is not that of its name')
      await lifecycle.stop()
      await self.clear()
      await self.setProfile(keep.profile.get())
      await self.setVisibility(findable.get().choice)
      const record = { peer: opened.peer, privateKey: opened.privateKey, createdAt: now() }
      keep.identity.set(record)
      await self.setIdentity(record)
      connection.set({ state: 'out' })
      tell({ kind: 'self' })
    },
    async forget() {
      await (await present())?.logout().catch(() => undefined)
      await lifecycle.stop()
      await keep.clear()
      connection.set({ state: 'out' })
      tell({ kind: 'self' })
    },
    joinRoom: (name) => rooms.join(name),
    leaveRoom: (room) => rooms.leave(room),
    sayInRoom: (room, text) => rooms.sendText(room, text),
    offerInRoom: (room, file) => rooms.sendFile(room, file),
    fetchInRoom: (room, messageId) => rooms.fetchFile(room, messageId),
    readRoom: (room) => rooms.markRead(room),
    clearRoom: (room) => rooms.clear(room),
    setRoomTopics: (topics) => rooms.setTopics(topics),
  }
}
