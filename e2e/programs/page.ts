/**
 * A program in a page: bundled by Vite and run in a browser by e2e/browser/17-programs.spec.ts. Gives the page `globalThis.connectProgram`, and nothing of the app.
 */
import { connect } from '@footbridge/client/programs/connect'

declare global {
  var connectProgram: typeof connect | undefined
}

globalThis.connectProgram = connect
