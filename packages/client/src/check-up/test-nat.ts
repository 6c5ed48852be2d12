/** For tests: a browser's peer connection behind a NAT of your making. It gathers as Chromium does: a mapped address once, whoever told it. */
import type { PeerConnection } from './probe-udp.ts'

/** The mapped port for a socket and the server that it asks; undefined where no answer comes. */
export type Nat = (socket: number, url: string) => number | undefined

export function behind(nat: Nat): { readonly PeerConnection: PeerConnection; readonly open: () => number } {
  let sockets = 4_000
  let open = 0
  class Connection extends EventTarget {
    iceGatheringState = 'gathering'
    readonly #socket = sockets++
    readonly #urls: readonly string[]
    #isClosed = false

    constructor({ iceServers = [] }: RTCConfiguration = {}) {
      super()
      open++
      this.#urls = iceServers.flatMap(({ urls }) => urls)
    }

    createDataChannel(): void {}
    async createOffer(): Promise<void> {}
    async setLocalDescription(): Promise<void> {
      this.#candidate(`candidate:1 1 udp 1 0b1c.local ${this.#socket} typ host`)
      const told = new Set(this.#urls.map((url) => (url.startsWith('stun') ? nat(this.#socket, url) : undefined)))
      for (const port of told)
        if (port !== undefined) this.#candidate(`candidate:2 1 udp 1 198.51.100.7 ${port} typ srflx raddr 0.0.0.0 rport 0`)
      for (const url of this.#urls)
        if (url.startsWith('turn') && nat(this.#socket, url) !== undefined)
          this.#candidate('candidate:3 1 udp 1 203.0.113.9 5000 typ relay')
      const isSilent = this.#urls.some((url) => nat(this.#socket, url) === undefined)
      // A server that does not answer is waited for; the probe has the deadline.
      if (isSilent) return
      this.iceGatheringState = 'complete'
      this.dispatchEvent(new Event('icegatheringstatechange'))
    }
    close(): void {
      if (!this.#isClosed) open--
      this.#isClosed = true
    }
    #candidate(candidate: string): void {
      this.dispatchEvent(Object.assign(new Event('icecandidate'), { candidate: { candidate } }))
    }
  }
  return { PeerConnection: Connection as unknown as PeerConnection, open: () => open }
}
