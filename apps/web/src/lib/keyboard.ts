/**
 * Keeps the composer above an on-screen keyboard in browsers that lay the keyboard over the page (Safari): the free height goes into a custom property.
 * Browsers that shrink the page by themselves (interactive-widget in index.html) see the same number and change nothing.
 */

/** @returns the function that ends it. */
export function followKeyboard(viewport: VisualViewport | null, root: HTMLElement): () => void {
  if (viewport === null) return () => undefined
  const measure = (): void => {
    // A pinch-zoomed page reports a small viewport too; that is not a keyboard.
    if (viewport.scale > 1.01) return
    root.style.setProperty('--app-height', `${viewport.height}px`)
  }
  measure()
  viewport.addEventListener('resize', measure)
  return () => {
    viewport.removeEventListener('resize', measure)
    root.style.removeProperty('--app-height')
  }
}
