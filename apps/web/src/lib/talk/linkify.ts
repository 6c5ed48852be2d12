/** Cuts a text into plain parts and web addresses. Only http and https: anything else in a message is not ours to make clickable. */
export interface TextPart {
  readonly text: string
  readonly href?: string
}

export function linkify(text: string): TextPart[] {
  const parts: TextPart[] = []
  let end = 0
  for (const match of text.matchAll(/https?:\/\/[^\s<>"]+/g)) {
    // What closes a sentence does not belong to the address.
    const address = match[0].replace(/[.,;:!?)\]'’]+$/, '')
    if (!URL.canParse(address)) continue
    if (match.index > end) parts.push({ text: text.slice(end, match.index) })
    parts.push({ text: address, href: address })
    end = match.index + address.length
  }
  if (end < text.length) parts.push({ text: text.slice(end) })
  return parts
}
