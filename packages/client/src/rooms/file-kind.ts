/**
 * What kind of file its first bytes say it is: those that the app can show. Anything else is bytes. Pure.
 */
export interface FileKind {
  readonly media: string
  readonly extension: string
}

const UNKNOWN: FileKind = { media: 'application/octet-stream', extension: '' }

const KINDS: readonly { readonly at: number; readonly bytes: readonly number[]; readonly kind: FileKind }[] = [
  { at: 0, bytes: [0x89, 0x50, 0x4e, 0x47], kind: { media: 'image/png', extension: '.png' } },
  { at: 0, bytes: [0xff, 0xd8, 0xff], kind: { media: 'image/jpeg', extension: '.jpg' } },
  { at: 0, bytes: [0x47, 0x49, 0x46, 0x38], kind: { media: 'image/gif', extension: '.gif' } },
  { at: 8, bytes: [0x57, 0x45, 0x42, 0x50], kind: { media: 'image/webp', extension: '.webp' } },
  { at: 0, bytes: [0x25, 0x50, 0x44, 0x46], kind: { media: 'application/pdf', extension: '.pdf' } },
  { at: 0, bytes: [0x50, 0x4b, 0x03, 0x04], kind: { media: 'application/zip', extension: '.zip' } },
]

/** @param head the first 16 bytes are enough */
export function fileKind(head: Uint8Array): FileKind {
  return KINDS.find(({ at, bytes }) => bytes.every((byte, index) => head[at + index] === byte))?.kind ?? UNKNOWN
}
