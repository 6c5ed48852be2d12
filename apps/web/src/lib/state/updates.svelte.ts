/**
 * The service worker from the page's side: registers it, and says when a newer version of the app waits to be used.
 * Not here: what it caches (src/service-worker.ts).
 */
export class Updates {
  #waiting = $state.raw<ServiceWorker | undefined>(undefined)
  /** Another tab has changed to the newer version: this page is older than what is kept for it. */
  #overtaken = $state(false)
  #applied = false
  #incomplete = $state(false)

  /** A newer version is here; `apply` changes to it. */
  get ready(): boolean {
    return this.#waiting !== undefined || this.#overtaken
  }

  /** A part of the app could not be loaded: the network went, or the files of this version are gone. */
  get incomplete(): boolean {
    return this.#incomplete
  }

  /** Vite tells of every import that did not arrive. */
  watch(page: Pick<Window, 'addEventListener'>): void {
    page.addEventListener('vite:preloadError', () => (this.#incomplete = true))
  }

  /** Without service workers, or when registering fails, the app works as a plain page: nothing to tell. */
  async start(container: ServiceWorkerContainer | undefined, page: Document): Promise<void> {
    if (container === undefined) return
    const hadController = container.controller !== null
    container.addEventListener('controllerchange', () => {
      if (!hadController) return
      if (this.#applied) location.reload()
      else this.#overtaken = true
    })
    try {
      const registration = await container.register('/service-worker.js', { scope: '/' })
      if (registration.waiting !== null && hadController) this.#waiting = registration.waiting
      registration.addEventListener('updatefound', () => {
        const arriving = registration.installing
        arriving?.addEventListener('statechange', () => {
          if (arriving.state === 'installed' && container.controller !== null) this.#waiting = arriving
        })
      })
      // An installed app may stay open for weeks: coming back to it is a good moment to look.
      page.addEventListener('visibilitychange', () => {
        if (page.visibilityState === 'visible') registration.update().catch(() => undefined)
      })
    } catch {
      return
    }
  }

  apply(): void {
    this.#applied = true
    if (this.#waiting === undefined) location.reload()
    else this.#waiting.postMessage({ type: 'use-now' })
  }
}
