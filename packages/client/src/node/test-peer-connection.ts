/**
 * For tests: the browser's half of WebRTC as far as signalling needs it, in place of the native one that @libp2p/webrtc takes in Node: takes what looks like a description, and connects
 * to nobody.
 */

interface Description {
  readonly type: string
  readonly sdp?: string
}

export class RTCSessionDescription implements Description {
  readonly type: string
  readonly sdp: string

  constructor({ type, sdp = '' }: Description) {
    this.type = type
    this.sdp = sdp
  }
}

export class RTCIceCandidate {
  readonly candidate: string

  constructor(init: { readonly candidate?: string; readonly sdpMid?: string | null; readonly sdpMLineIndex?: number | null }) {
    if ((init.sdpMid ?? init.sdpMLineIndex ?? null) === null) throw new TypeError('a candidate belongs to a medium')
    this.candidate = init.candidate ?? ''
  }
}

export class RTCPeerConnection extends EventTarget {
  connectionState = 'new'

  async setRemoteDescription({ sdp = '' }: Description): Promise<void> {
    if (!sdp.startsWith('v=0')) throw new DOMException('that is no description', 'OperationError')
  }

  async createAnswer(): Promise<Description> {
    return { type: 'answer', sdp: 'v=0' }
  }

  async setLocalDescription(): Promise<void> {
    if (this.connectionState === 'new') this.connectionState = 'connecting'
  }

  async addIceCandidate({ candidate }: RTCIceCandidate): Promise<void> {
    if (!candidate.startsWith('candidate:')) throw new DOMException('that is no candidate', 'OperationError')
  }

  createDataChannel(): EventTarget & { readonly readyState: string; close: () => void } {
    return Object.assign(new EventTarget(), { readyState: 'connecting', close: () => {} })
  }

  close(): void {
    this.connectionState = 'closed'
  }
}

/** Of the native module beside its copy of the browser's; only looked for. */
export class PeerConnection {}
export class IceUdpMuxListener {}
