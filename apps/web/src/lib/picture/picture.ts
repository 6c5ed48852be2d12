/**
 * A person's picture: cut to a square in the middle, 96 by 96, as a data: URL small enough to travel in one frame.
 * Not here: the limit (packages/shared/src/limits.ts).
 */
import { MAX_PICTURE_LENGTH } from '@footbridge/shared/limits'

const SIDE = 96
/** Tried in order until the result fits; even noise fits at the last. */
const QUALITIES = [0.85, 0.7, 0.5, 0.3, 0.1] as const

/** @returns undefined when the file is not a picture that this browser can read, or will not get small enough. */
export async function toPicture(file: Blob): Promise<string | undefined> {
  let bitmap: ImageBitmap
  try {
    bitmap = await createImageBitmap(file)
  } catch {
    return undefined
  }
  try {
    const canvas = document.createElement('canvas')
    canvas.width = canvas.height = SIDE
    const side = Math.min(bitmap.width, bitmap.height)
    const context = canvas.getContext('2d')
    if (context === null) return undefined
    context.imageSmoothingQuality = 'high'
    context.drawImage(bitmap, (bitmap.width - side) / 2, (bitmap.height - side) / 2, side, side, 0, 0, SIDE, SIDE)
    return smallest(canvas)
  } finally {
    bitmap.close()
  }
}

function smallest(canvas: HTMLCanvasElement): string | undefined {
  for (const quality of QUALITIES) {
    const webp = canvas.toDataURL('image/webp', quality)
    // Safari writes no WebP and answers with a PNG of any size; JPEG is its way to a small picture.
    const url = webp.startsWith('data:image/webp') ? webp : canvas.toDataURL('image/jpeg', quality)
    if (url.length <= MAX_PICTURE_LENGTH) return url
  }
  return undefined
}
