/** Cuts a byte stream into JSON frames with a varint length before each. For the soak's peers, which trust their bridge; nothing is capped. */

/** @returns takes the bytes as they arrive. */
export function createFrameReader(onFrame: (frame: unknown) => void): (bytes: Uint8Array) => void {
  let rest: Buffer = Buffer.alloc(0)
  return (bytes) => {
    rest = Buffer.concat([rest, bytes])
    for (;;) {
      const end = rest.findIndex((byte) => byte < 0x80)
      if (end === -1) return
      let length = 0
      for (let index = end; index >= 0; index--) length = (length << 7) | ((rest[index] ?? 0) & 0x7f)
      if (rest.length < end + 1 + length) return
      onFrame(JSON.parse(rest.toString('utf8', end + 1, end + 1 + length)))
      rest = rest.subarray(end + 1 + length)
    }
  }
}
