/**
 * The service worker from the page's side: registers it, and says when a newer version of the app waits to be used.
 * Not here: what it caches (src/service-worker.ts).
 */
export class Updates {
  #waiting = $state.raw<ServiceWorker | undefined>(undefined)

  /** A newer version is here; `apply` changes to it. */
  get ready(): boolean {
    return this.#waiting !== undefined
  }

  /** Without service workers, or when registering fails, the app works as a plain page: nothing to tell. */
  async start(container: ServiceWorkerContainer | undefined): Promise<void> {
    if (container === undefined) return
    const hadController = container.controller !== null
    container.addEventListener('controllerchange', () => {
      if (hadController && this.#applied) location.reload()
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
    } catch {
      return
    }
  }

  #applied = false

  apply(): void {
    this.#applied = true
    this.#waiting?.postMessage({ type: 'use-now' })
  }
}
