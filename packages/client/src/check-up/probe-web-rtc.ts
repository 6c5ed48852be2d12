/** Whether WebRTC works in this browser at all: a data channel between two ends in this page carries a byte there and back. It asks no server. */
import type { Check, Took } from './facts.ts'
import type { PeerConnection } from './probe-udp.ts'

export async function probeWebRtc(parts: {
  readonly PeerConnection: PeerConnection
  readonly steady: () => number
  readonly signal: AbortSignal
}): Promise<Check<Took, 'no_answer' | 'failed'>> {
  const { PeerConnection, steady, signal } = parts
  const startedAt = steady()
  const [here, there] = [new PeerConnection(), new PeerConnection()]
  const { promise: answered, resolve, reject } = Promise.withResolvers<void>()
  const onAbort = (): void => reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    for (const [from, to] of [
      [here, there],
      [there, here],
    ] as const)
      from.addEventListener('icecandidate', ({ candidate }) => {
        if (candidate !== null) to.addIceCandidate(candidate).catch(() => undefined)
      })
    there.addEventListener('datachannel', ({ channel }) => channel.addEventListener('message', () => channel.send('back')))
    const channel = here.createDataChannel('check-up')
    channel.addEventListener('open', () => channel.send('there'))
    channel.addEventListener('message', () => resolve())
    here.addEventListener('connectionstatechange', () => {
      if (here.connectionState === 'failed') reject(new Error('no path between two ends in this page'))
    })
    const describe = async (): Promise<void> => {
      await here.setLocalDescription(await here.createOffer())
      await there.setRemoteDescription(here.localDescription as RTCSessionDescription)
      await there.setLocalDescription(await there.createAnswer())
      await here.setRemoteDescription(there.localDescription as RTCSessionDescription)
    }
    describe().catch(reject)
    await answered
    return { state: 'works', figures: { ms: steady() - startedAt } }
  } catch (error) {
    const detail = error instanceof Error ? error.message : undefined
    return {
      state: 'broken',
      reason: signal.aborted ? 'no_answer' : 'failed',
      afterMs: steady() - startedAt,
      ...(detail !== undefined && { detail }),
    }
  } finally {
    signal.removeEventListener('abort', onAbort)
    here.close()
    there.close()
  }
}
