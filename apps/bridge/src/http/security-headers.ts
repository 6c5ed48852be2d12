/**
 * What the browser is told not to do with our pages. The app may talk to any bridge (connect-src), but runs no script except its own files and the inline
 * ones whose hashes the served page has; nothing may frame it.
 */
import type { MiddlewareHandler } from 'hono'

/** @param inlineScriptHashes CSP source expressions such as `'sha256-…'`. */
export function securityHeaders(inlineScriptHashes: readonly string[]): MiddlewareHandler {
  const policy = [
    "default-src 'none'",
    // libp2p's noise hashes in WebAssembly where the browser lets it.
    `script-src ${["'self'", "'wasm-unsafe-eval'", ...inlineScriptHashes].join(' ')}`,
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "media-src 'self' blob:",
    "font-src 'self'",
    "connect-src 'self' ws: wss: http: https:",
    "worker-src 'self'",
    "manifest-src 'self'",
    "frame-src 'self' blob:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
  return async (context, next) => {
    await next()
    context.header('Content-Security-Policy', policy)
    context.header('X-Content-Type-Options', 'nosniff')
    context.header('Referrer-Policy', 'no-referrer')
    context.header('Cross-Origin-Opener-Policy', 'same-origin')
    context.header('Permissions-Policy', 'geolocation=(), payment=(), usb=()')
  }
}
