/**
 * Runs in a page before its scripts: who dials WebRTC is slow to notice that it is connected. By the time it looks, the other side has connected and closed
 * the channel `init`.
 */
export function noticeLate(): void {
  globalThis.RTCPeerConnection = class extends RTCPeerConnection {
    #isDialler = false

    override createDataChannel(label: string, options?: RTCDataChannelInit): RTCDataChannel {
      this.#isDialler ||= label === 'init'
      return super.createDataChannel(label, options)
    }

    override async addIceCandidate(candidate?: RTCIceCandidateInit | null): Promise<void> {
      await super.addIceCandidate(candidate)
      if (this.#isDialler) await new Promise((resolve) => setTimeout(resolve, 1_000))
    }
  }
}
