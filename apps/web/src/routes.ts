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
  '/rooms': {
    '/': () => loadChunk(() => import('./routes/NoRoomChosen.svelte')),
    '/:room': () => loadChunk(() => import('./routes/Room.svelte')),
    layout: () => loadChunk(() => import('./routes/Rooms.svelte')),
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
  room: () => router.route.params.room,
  path: () => router.route.pathname,
  go: (path) => {
    if (path.startsWith('/people/')) void router.navigate('/people/:peer', { params: { peer: path.slice('/people/'.length) } })
    else if (path.startsWith('/rooms/')) void router.navigate('/rooms/:room', { params: { room: path.slice('/rooms/'.length) } })
    else void router.navigate(path === '/rooms' || path === '/network' || path === '/settings' ? path : '/people')
  },
}
