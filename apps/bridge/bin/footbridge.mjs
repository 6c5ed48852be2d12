#!/usr/bin/env -S node --max-semi-space-size=4
/**
 * `footbridge`: starts src/main.ts on a Node that can run it. Plain JavaScript, because an older Node has to get through this file.
 * Node 24 strips types and has SQLite; on anything older the pinned `node` package runs the same command.
 *
 * The flag in the first line bounds V8's nursery. Relayed bytes live in buffers outside the heap that die young; a nursery that grows is collected so seldom
 * that they pile up until V8 goes through the whole heap instead, which took a fifth of a busy relay's time. It can only be set at the start of a process.
 * Next: ../src/main.ts.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const NEEDED = 24
const NODE_FLAGS = ['--max-semi-space-size=4']
const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))

function findPinnedNode() {
  try {
    const folder = dirname(createRequire(import.meta.url).resolve('node/package.json'))
    return [join(folder, 'bin', 'node'), join(folder, 'bin', 'node.exe')].find((path) => existsSync(path))
  } catch {
    return undefined
  }
}

function runOn(node) {
  const child = spawn(node, [...NODE_FLAGS, main, ...process.argv.slice(2)], { stdio: 'inherit' })
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  // A terminal sends its Ctrl+C to both of us; passed on as well, it would count as the second, impatient one.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'))
  child.on('error', (error) => {
    process.stderr.write(`footbridge: cannot run ${node} (${error.message}): install Node ${NEEDED}, or run npm ci again\n`)
    process.exit(1)
  })
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1)
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}

if (Number.parseInt(process.versions.node, 10) >= NEEDED) {
  await import(new URL('../src/main.ts', import.meta.url).href)
} else {
  const node = findPinnedNode()
  if (node === undefined) {
    process.stderr.write(
      `footbridge: this is Node ${process.versions.node} and the pinned Node ${NEEDED} is missing: run npm ci in the project's folder, or install Node ${NEEDED}\n`,
    )
    process.exit(1)
  }
  runOn(node)
}
