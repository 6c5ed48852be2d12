/** Every route of the app, in one file. What the first screen does not need is loaded when it is first opened. */
import { loadChunk } from '@footbridge/client/chunk'
import { createRouter } from 'sv-router'
import type { Ways } from './lib/state/context.ts'
import NobodyChosen from './routes/NobodyChosen.svelte'
import NotFound from './routes/NotFound.svelte'
import People from './routes/People.svelte'
import Shell from './routes/Shell.svelte'

const router = createRouter({
  '/': NobodyChosen,
  '/people': {
    '/': NobodyChosen,
    '/:peer': () => loadChunk(() => import('./routes/Conversation.svelte')),
    layout: People,
  },
  '/network': () => loadChunk(() => import('./routes/Network.svelte')),
  '/settings': () => loadChunk(() => import('./routes/Settings.svelte')),
  '*': NotFound,
  layout: Shell,
  hooks: {
    beforeLoad({ pathname }) {
      if (pathname === '/') throw router.navigate('/people', { replace: true })
    },
  },
})

export const ways: Ways = {
  peer: () => router.route.params.peer,
  path: () => router.route.pathname,
  go: (path) => {
    if (path.startsWith('/people/')) void router.navigate('/people/:peer', { params: { peer: path.slice('/people/'.length) } })
    else void router.navigate(path === '/network' || path === '/settings' ? path : '/people')
  },
}
