/**
 * A QR code in half blocks: two rows of modules to a line of text, dark on light in any colour scheme.
 */
import { encodeQR } from 'qr'

/** With the four light modules around it that the standard asks for; cameras need them on a dark terminal. */
const BORDER = 4

/** @param colour whether the terminal takes escape codes; without, light modules are drawn as blocks, which suits a dark terminal. */
export function formatQrCode(text: string, { colour }: { readonly colour: boolean }): string {
  const modules = encodeQR(text, 'raw', { ecc: 'low', border: BORDER })
  const lines: string[] = []
  for (let row = 0; row < modules.length; row += 2) {
    const upper = modules[row] ?? []
    const lower = modules[row + 1] ?? upper.map(() => false)
    const line = upper.map((dark, column) => halfBlock(!dark, !lower[column])).join('')
    // White on black whatever the scheme is: the blocks are the light modules.
    lines.push(colour ? `\u001b[97;40m${line}\u001b[0m` : line)
  }
  return `${lines.join('\n')}\n`
}

function halfBlock(upperLight: boolean, lowerLight: boolean): string {
  if (upperLight) return lowerLight ? '█' : '▀'
  return lowerLight ? '▄' : ' '
}
