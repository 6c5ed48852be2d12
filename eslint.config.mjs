/**
 * ESLint for `.svelte` and `.svelte.ts` alone, where oxlint does not look; everything else is oxlint's (.oxlintrc.json).
 */
import svelte from 'eslint-plugin-svelte'
import ts from 'typescript-eslint'

export default ts.config(
  { ignores: ['**/dist/**', '**/node_modules/**', '**/paraglide/**'] },
  { files: ['**/*.svelte', '**/*.svelte.ts'], extends: [ts.configs.recommended, svelte.configs.recommended] },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: ts.parser, extraFileExtensions: ['.svelte'] } },
    rules: {
      // sv-router builds its own links; the rule knows SvelteKit's resolve() only.
      'svelte/no-navigation-without-resolve': 'off',
      'svelte/no-at-html-tags': 'error',
      'svelte/require-each-key': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
    },
  },
)
