/**
 * Who may import whom. Each ban carries its reason, which is what a person sees when they meet it. The picture behind it: docs and README, "the house".
 */
const test = '\\.test\\.ts$'
/** Folders of apps/bridge/src that are one feature each: they meet in bridge.ts, never in each other. */
const features = 'presence|control|stun|turn|mailbox|blobs|discovery|rendezvous|announce|gossip|sites|hosted|admin'

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'Two modules that need each other are one module, or a third is hiding between them; load order would decide what works.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'no-unresolvable',
      comment: 'A wrong path would slip through every other rule here.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true, pathNot: ['\\?', '^virtual:', '\\.css$'] },
    },
    {
      name: 'shared-is-pure',
      comment: 'shared is loaded by every side, browser or not: nothing of ours above it, nothing of Node, libp2p or the DOM in it.',
      severity: 'error',
      from: { path: '^packages/shared/src', pathNot: test },
      to: { pathNot: ['^packages/shared/src', 'node_modules/(valibot|uint8-varint|uint8arraylist|uint8arrays|multiformats)/'] },
    },
    {
      name: 'protocols-know-shared-only',
      comment: 'A protocol runs in a browser and in Node, over the libp2p interface; whoever serves it passes in what it needs.',
      severity: 'error',
      from: { path: '^packages/protocols/src', pathNot: test },
      to: { path: '^(apps/|packages/)', pathNot: '^packages/(protocols|shared)/src' },
    },
    {
      name: 'protocols-are-safe-in-browsers',
      comment: 'A Node built-in would break the bundle of every browser client.',
      severity: 'error',
      from: { path: '^packages/(protocols|client)/src', pathNot: [test, '/test-'] },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'storage-knows-shared-only',
      comment: 'Storage keeps records; what they mean belongs to the bridge.',
      severity: 'error',
      from: { path: '^packages/storage/src' },
      to: { path: '^(apps/|packages/)', pathNot: '^packages/(storage|shared)/src' },
    },
    {
      name: 'links-stand-alone',
      comment: 'Noise and yamux speak other people’s wire formats; nothing of ours is in them, and any Node program could use them.',
      severity: 'error',
      from: { path: '^packages/links/src' },
      to: { path: '^(apps/|packages/)', pathNot: '^packages/links/src' },
    },
    {
      name: 'listeners-know-links-and-shared',
      comment: 'A listener is a libp2p transport that any Node program could use.',
      severity: 'error',
      from: { path: '^packages/listeners/src' },
      to: { path: '^(apps/|packages/)', pathNot: '^packages/(listeners|links|shared)/src' },
    },
    {
      name: 'client-knows-shared-and-protocols',
      comment: 'The SDK is for any web app: it must not need our app, our bridge or a server package.',
      severity: 'error',
      from: { path: '^packages/client/src' },
      to: { path: '^(apps/|packages/)', pathNot: '^packages/(client|shared|protocols)/src' },
    },
    {
      name: 'web-knows-client-and-shared',
      comment: 'The app speaks to the network through the SDK alone, so that what it can do, any app can.',
      severity: 'error',
      from: { path: '^apps/web' },
      to: { path: '^(apps/|packages/)', pathNot: ['^apps/web', '^packages/(client|shared)/src'] },
    },
    {
      name: 'bridge-knows-no-client',
      comment: 'The bridge talks to any client; importing ours would let both be wrong together.',
      severity: 'error',
      from: { path: '^apps/bridge' },
      to: { path: ['^packages/(client|thin)/', '^apps/web/'] },
    },
    {
      name: 'nothing-imports-e2e',
      comment: 'Tests look at the product from outside; the product does not know them. Only the scripts that run them do.',
      severity: 'error',
      from: { pathNot: '^(e2e|scripts)/' },
      to: { path: '^e2e/' },
    },
    {
      name: 'features-stand-alone',
      comment:
        'A feature of the bridge imports peers, auth and port types, never another feature: deleting its folder removes it and nothing else.',
      severity: 'error',
      from: { path: `^apps/bridge/src/(${features})/` },
      to: { path: `^apps/bridge/src/(${features}|compat)/`, pathNot: '^apps/bridge/src/$1/' },
    },
    {
      name: 'only-the-root-knows-everything',
      comment: 'Order of start and stop is visible in one file, bridge.ts; only main.ts and tests make a bridge.',
      severity: 'error',
      from: { path: '^apps/bridge/src', pathNot: [test, '^apps/bridge/src/(main|cli|bridge|test-bridge)'] },
      to: { path: '^apps/bridge/src/(bridge|main)\\.ts$', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'roles-are-roots',
      comment:
        'A role that runs alone is wired in apps/bridge/src/roles, as the bridge is in bridge.ts: only the command line and tests make one, and a feature that knew in which it stands would decide what its root should.',
      severity: 'error',
      from: { path: '^apps/bridge/src', pathNot: [test, '^apps/bridge/src/(roles|cli)/'] },
      to: { path: '^apps/bridge/src/roles/' },
    },
    {
      name: 'hono-at-the-edge',
      comment:
        'HTTP is a way in, not a way to think: a feature speaks values, its routes.ts (and http/) turns them into requests and answers.',
      severity: 'error',
      from: {
        path: '^apps/bridge/src',
        pathNot: [test, '^apps/bridge/src/http/', '/routes\\.ts$', '^apps/bridge/src/[^/]+/[a-z-]*routes\\.ts$'],
      },
      to: { path: 'node_modules/(hono|@hono)/' },
    },
    {
      name: 'not-to-dev-dependencies',
      comment: 'What runs at a person is listed where it is installed.',
      severity: 'error',
      from: { path: '^(packages|apps)/[^/]+/(src|lib)', pathNot: [test, '/test-', '^apps/web', '/contract/'] },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['npm', 'type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: ['(^|/)(dist|test-results|playwright-report)/', '/paraglide/', '^node_modules/@types'] },
    tsPreCompilationDeps: true,
    combinedDependencies: false,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['svelte', 'browser', 'import', 'require', 'node', 'default'],
      extensions: ['.ts', '.mjs', '.js', '.svelte', '.json'],
    },
  },
}
