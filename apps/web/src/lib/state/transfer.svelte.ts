/** A file's way to this device, live: one per card on screen. */
import type { Blobs, Transfer } from '@footbridge/client/api'
import { Live } from './live.svelte.ts'

export class TransferView {
  readonly #transfer: Live<Transfer | undefined>

  constructor(blobs: Blobs, cid: string) {
    this.#transfer = new Live(blobs.transfer(cid))
  }

  get current(): Transfer | undefined {
    return this.#transfer.current
  }

  get complete(): boolean {
    return this.current?.state === 'complete'
  }

  /** From 0 to 1. */
  get fraction(): number {
    const transfer = this.current
    if (transfer === undefined) return 0
    return transfer.bytesTotal === 0 ? 1 : transfer.bytesDone / transfer.bytesTotal
  }
}
