/**
 * QUIC for native peers. Its native part is not there for every machine: without it a role runs over TCP and WebSocket, and says so.
 */
import type { quic } from '@chainsafe/libp2p-quic'

export type LoadedQuic = { readonly transport: ReturnType<typeof quic> } | { readonly reason: string }

export async function loadQuic(): Promise<LoadedQuic> {
  try {
    const module = await import('@chainsafe/libp2p-quic')
    return { transport: module.quic() }
  } catch (error) {
    return { reason: (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? 'it does not load' }
  }
}
