/** Finds the browser that WebKitWebDriver drives: Debian keeps it in a folder that names the processor and the version of the library. */
import { globSync } from 'node:fs'

export function findMiniBrowser(): string | undefined {
  return globSync('/usr/lib/*/webkit*gtk-*/MiniBrowser')[0]
}
