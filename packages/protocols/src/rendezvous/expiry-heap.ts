/**
 * What ends when: a binary heap, so that one timer serves any number of registrations. An entry that was replaced stays until its time has come and is then skipped
 * by its owner; when most are such, the owner makes a new heap.
 */
export interface ExpiryHeap<Item> {
  readonly size: number
  push(at: number, item: Item): void
  /** When the first of them ends. */
  firstAt(): number | undefined
  /** Takes out the first. */
  pop(): Item | undefined
}

export function createExpiryHeap<Item>(): ExpiryHeap<Item> {
  const nodes: { readonly at: number; readonly item: Item }[] = []

  const isBefore = (a: number, b: number): boolean => (nodes[a]?.at ?? Infinity) < (nodes[b]?.at ?? Infinity)
  const swap = (a: number, b: number): void => {
    const [first, second] = [nodes[a], nodes[b]]
    if (first === undefined || second === undefined) return
    nodes[a] = second
    nodes[b] = first
  }
  const smallest = (index: number): number => {
    const [left, right] = [2 * index + 1, 2 * index + 2]
    const child = isBefore(right, left) ? right : left
    return isBefore(child, index) ? child : index
  }

  return {
    get size() {
      return nodes.length
    },
    push(at, item) {
      nodes.push({ at, item })
      for (let index = nodes.length - 1; index > 0;) {
        const parent = (index - 1) >> 1
        if (!isBefore(index, parent)) return
        swap(index, parent)
        index = parent
      }
    },
    firstAt: () => nodes[0]?.at,
    pop() {
      const first = nodes[0]
      const last = nodes.pop()
      if (first === undefined || last === undefined) return undefined
      if (nodes.length > 0) nodes[0] = last
      for (let index = 0, next = smallest(0); next !== index; next = smallest(index)) {
        swap(index, next)
        index = next
      }
      return first.item
    },
  }
}
