/** What a cell is, and what all of them use to say what they see. Next: cells.ts. */
import type { Kind } from './builds.ts'
import type { Scene } from './scene.ts'

export interface Cell {
  readonly id: string
  /** For people. */
  readonly title: string
  /** By kind: why there is nothing to ask. */
  readonly none?: Partial<Readonly<Record<Kind, string>>>
  /** @returns what was seen. @throws when it is not as it has to be. */
  run(scene: Scene): Promise<string>
}

/** It was tried, and what stands in the way is known, named, and not ours to mend: neither yes nor no, and never silent. */
export class Cannot extends Error {
  override readonly name = 'Cannot'
}

/** @throws in `sentence` unless it is so. */
export function expect(isSo: boolean, sentence: string): asserts isSo {
  if (!isSo) throw new Error(sentence)
}

/** Asks again and again until the answer is not undefined. @throws with what was asked, and the last failure. */
export async function eventually<Answer>(what: string, ask: () => Promise<Answer | undefined>, timeoutMs = 30_000): Promise<Answer> {
  const deadline = performance.now() + timeoutMs
  let last: unknown
  while (performance.now() < deadline) {
    try {
      const answer = await ask()
      if (answer !== undefined) return answer
    } catch (error) {
      last = error
    }
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
  throw new Error(`${what}: not in ${timeoutMs / 1000} s${last instanceof Error ? `; ${last.message}` : ''}`)
}
