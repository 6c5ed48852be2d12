/**
 * How a long-running command ends: everything is stopped in order whatever fails, and nothing is waited for beyond the deadline.
 */

/** In order, each whether or not those before failed; then the first failure. */
export async function stopAll(steps: readonly (() => Promise<void> | void | undefined)[]): Promise<void> {
  const failures: unknown[] = []
  for (const step of steps) {
    try {
      await step()
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
}

/** @returns whether the work was done in time. */
export async function withDeadline(work: Promise<void>, ms: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const deadline = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms)
  })
  try {
    return await Promise.race([work.then(() => true), deadline])
  } finally {
    clearTimeout(timer)
  }
}
