/** A timer as the server takes it, so that tests bring their own. */
export function scheduleByTimer(run: () => void, ms: number): () => void {
  const timer = setTimeout(run, ms)
  // In Node a registration must not keep a process alive.
  unref(timer)
  return () => clearTimeout(timer)
}

function unref(timer: unknown): void {
  if (typeof timer === 'object' && timer !== null && 'unref' in timer && typeof timer.unref === 'function') timer.unref()
}
