/** The page's entry. The first import takes a login token out of the address bar before anything else runs; then the app is put on the page. */
import './lib/login/opened-link.ts'
import './styles/tokens.css'
import './styles/base.css'
import { mount } from 'svelte'
import Root from './Root.svelte'
import { followKeyboard } from './lib/keyboard.ts'

const target = document.getElementById('app')
if (target === null) throw new Error('index.html has no #app')
followKeyboard(globalThis.visualViewport, document.documentElement)
mount(Root, { target })
