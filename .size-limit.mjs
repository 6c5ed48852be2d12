/**
 * Size budgets of the web app, over what `vite build` made. Which files count is read from Vite's manifest, so that a new chunk cannot slip past:
 * first paint is the page and everything it loads statically; before the first peer come the chunks that are imported on the way in as well.
 * e2e/browser/08-look.spec.ts measures the same in a real browser. Fonts and pictures are not code and not counted.
 */
import { readFileSync } from 'node:fs'

const dist = 'apps/web/dist'
const manifest = JSON.parse(readFileSync(`${dist}/.vite/manifest.json`, 'utf8'))

/** Pages and tools that nobody needs before the first peer is on screen; each is a dynamic import of its own. */
const later = /(Conversation|[Rr]oom|Connection|Network|Settings|Help|[Ss]can|check-up\/run|CheckUp|decode|export|workbox|service-worker)/

/** Files of `keys` and of everything they import statically. */
function files(keys, seen = new Set()) {
  return keys.flatMap((key) => {
    if (seen.has(key)) return []
    seen.add(key)
    const { file, css = [], imports = [] } = manifest[key]
    return [file, ...css, ...files(imports, seen)]
  })
}

/** Keys that can be reached through dynamic imports too, without those that come later. */
function onTheWay(keys, seen = new Set(keys)) {
  for (const key of Array.from(seen)) {
    for (const next of [...(manifest[key].imports ?? []), ...(manifest[key].dynamicImports ?? [])]) {
      if (seen.has(next) || later.test(next)) continue
      seen.add(next)
      onTheWay([next], seen)
    }
  }
  return [...seen]
}

const entries = Object.keys(manifest).filter((key) => manifest[key].isEntry)
const paths = (keys) =>
  [...new Set(['index.html', ...files(keys)])].filter((file) => /\.(html|js|css)$/.test(file)).map((file) => `${dist}/${file}`)

export default [
  { name: 'first paint: page, script and style, gzip', path: paths(entries), limit: '60 kB', gzip: true },
  { name: 'all code before the first peer, gzip', path: paths(onTheWay(entries)), limit: '330 kB', gzip: true },
]
