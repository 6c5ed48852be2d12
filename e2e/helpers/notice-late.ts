/**
 * Runs in a page before its scripts: who dials WebRTC is slow to notice that it is connected. By the time it looks, the other side has connected and closed
 * the channel `init`. Its tries are counted in `directTries`.
 */
export function noticeLate(): void {
  Object.assign(globalThis, { directTries: 0 })
  globalThis.RTCPeerConnection = class extends RTCPeerConnection {
    #isDialler = false

    override createDataChannel(label: string, options?: RTCDataChannelInit): RTCDataChannel {
      if (label === 'init') {
        this.#isDialler = true
        Object.assign(globalThis, { directTries: directTries() + 1 })
      }
      return super.createDataChannel(label, options)
    }

    override async addIceCandidate(candidate?: RTCIceCandidateInit | null): Promise<void> {
      await super.addIceCandidate(candidate)
      if (this.#isDialler) await new Promise((resolve) => setTimeout(resolve, 1_000))
    }
  }

  function directTries(): number {
    return Number(Reflect.get(globalThis, 'directTries'))
  }
}
