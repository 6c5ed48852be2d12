/**
 * Reads QR codes from a running camera: by the browser's own BarcodeDetector where there is one, else by the `qr` package.
 * Loaded only when somebody opens the scanner.
 */
interface Detector {
  detect(source: HTMLVideoElement): Promise<readonly { rawValue: string }[]>
}
type DetectorClass = new (options: { formats: string[] }) => Detector

/** Between two looks: quick for the eye, easy on a phone's battery. */
const PERIOD_MS = 150
const MAX_SIDE = 640

/** Resolves with the first code that `accept` takes. @throws the signal's reason. */
export async function scanVideo(video: HTMLVideoElement, accept: (text: string) => boolean, signal: AbortSignal): Promise<string> {
  const look = (await nativeLook(video)) ?? (await ownLook(video))
  for (;;) {
    signal.throwIfAborted()
    const text = video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA ? await look() : undefined
    signal.throwIfAborted()
    if (text !== undefined && accept(text)) return text
    await new Promise((resolve) => setTimeout(resolve, PERIOD_MS))
  }
}

async function nativeLook(video: HTMLVideoElement): Promise<(() => Promise<string | undefined>) | undefined> {
  const known = (globalThis as { BarcodeDetector?: DetectorClass & { getSupportedFormats(): Promise<string[]> } }).BarcodeDetector
  try {
    if (known === undefined || !(await known.getSupportedFormats()).includes('qr_code')) return undefined
    const detector = new known({ formats: ['qr_code'] })
    return async () => (await detector.detect(video))[0]?.rawValue
  } catch {
    return undefined
  }
}

async function ownLook(video: HTMLVideoElement): Promise<() => Promise<string | undefined>> {
  const { default: decode } = await import('qr/decode.js')
  const canvas = document.createElement('canvas')
  const context = canvas.getContext('2d', { willReadFrequently: true })
  return async () => {
    if (context === null || video.videoWidth === 0) return undefined
    const scale = Math.min(1, MAX_SIDE / Math.max(video.videoWidth, video.videoHeight))
    canvas.width = Math.round(video.videoWidth * scale)
    canvas.height = Math.round(video.videoHeight * scale)
    context.drawImage(video, 0, 0, canvas.width, canvas.height)
    try {
      return decode(context.getImageData(0, 0, canvas.width, canvas.height))
    } catch {
      // No code in this picture.
      return undefined
    }
  }
}
