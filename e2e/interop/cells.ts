/**
 * Every question that is put to each foreign peer, in the order in which they are put. A cell throws with the reason when the answer is no; it tells in words
 * what was seen; and where an implementation has no such part it says so, which is neither yes nor no.
 * The browser in all of them is one headless Chromium with the SDK's own node (page.ts).
 */
import type { Cell } from './cell.ts'
import { bulkCells } from './cells-bulk.ts'
import { dialCells } from './cells-dial.ts'
import { discoveryCells } from './cells-discovery.ts'
import { relayCells } from './cells-relay.ts'

export const CELLS: readonly Cell[] = [...dialCells, ...relayCells, ...bulkCells, ...discoveryCells]
