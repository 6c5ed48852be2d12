/** What pages take from above them, typed: set once in Root.svelte, read anywhere below. */
import { createContext } from 'svelte'
import type { App } from './app.svelte.ts'
import type { Theme } from './theme.svelte.ts'
import type { Updates } from './updates.svelte.ts'
import type { Arrival } from './arrival.svelte.ts'

/** Where the app is and how to go elsewhere. A narrow face of the router, so that pages do not import the file that imports them. */
export interface Ways {
  /** The peer of an open conversation. */
  peer(): string | undefined
  /** The name of an open room. */
  room(): string | undefined
  path(): string
  go(path: '/people' | '/rooms' | '/network' | '/settings' | `/people/${string}` | `/rooms/${string}`): void
}

export const [getApp, setApp] = createContext<App>()
export const [getArrival, setArrival] = createContext<Arrival>()
export const [getTheme, setTheme] = createContext<Theme>()
export const [getUpdates, setUpdates] = createContext<Updates>()
export const [getWays, setWays] = createContext<Ways>()
