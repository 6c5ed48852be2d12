/** Settings of the Svelte compiler that the editor and svelte-check must know too. Not here: the build (vite.config.ts at the root). */
export default { compilerOptions: { runes: true } }
