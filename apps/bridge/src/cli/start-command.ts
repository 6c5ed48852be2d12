/**
 * `footbridge start`: takes the data folder, builds the bridge, says where it is, and waits to be asked to stop.
 * Not here: what a bridge is made of (../bridge.ts), and signals (../main.ts).
 */
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { loadBinding, type LoadedBinding } from '@footbridge/listeners/webtransport/binding'
import type { DestinationStream } from 'pino'
import { controlPath } from '../admin/control-path.ts'
import { createControlServer } from '../admin/control-server.ts'
import { lockDataDir, prepareDataDir, reasonOf } from '../admin/data-dir.ts'
import type { Config } from '../config/config.ts'
import { STOP_DEADLINE_MS } from '../limits.ts'
import { ConfigError } from '../config/settings.ts'
import { createLog } from '../telemetry/log.ts'
import { collectProcessMetrics } from '../telemetry/process-metrics.ts'
import { formatBanner, insecureWarning } from './banner.ts'
import { CommandError, type Console } from './console.ts'
import { openStore } from './operator.ts'
import { checkPort, checkUdpPort, explainPort } from './ports.ts'
import { stopAll, withDeadline } from './stopping.ts'

/** A token command holds the lock for milliseconds; another bridge for good. */
const LOCK_WAIT_MS = 1_000

export async function startCommand(given: Config, console: Console, logDestination: DestinationStream): Promise<void> {
  const config = { ...given, dataDir: prepareDataDir(given.dataDir) }
  const lock = lockDataDir(config.dataDir, LOCK_WAIT_MS)
  if (lock === undefined)
    throw new CommandError(`another bridge is running on ${config.dataDir}: stop it, or give this one its own folder with --data-dir`)
  try {
    checkTls(config)
    await checkPort(config.host, config.port, '--port')
    await checkPort(config.host, config.p2pPort, '--p2p-port')
    const webTransport = loadBinding()
    if ('binding' in webTransport && config.wtPort !== undefined) await checkUdpPort(config.wtHost, config.wtPort)
    await runBridge(config, webTransport, console, logDestination)
  } finally {
    lock.release()
  }
}

async function runBridge(config: Config, webTransport: LoadedBinding, console: Console, logDestination: DestinationStream): Promise<void> {
  const log = createLog({ level: config.logLevel, destination: logDestination })
  const storage = openStore(config.dataDir)
  const { clock, randomBytes, version } = console
  // After everything that can be refused: all of libp2p comes with it.
  const { createBridge } = await import('../bridge.ts')
  const bridge = createBridge(config, { storage, log, clock, randomBytes, version, webTransport, processMetrics: collectProcessMetrics() })
  let control: ReturnType<typeof createControlServer> | undefined
  try {
    const started = await bridge.start()
    control = createControlServer({ app: started.admin, path: controlPath(config.dataDir, console) })
    await control.start()
    const first = await started.tokens.ensureFirst()
    const warning = insecureWarning(config)
    if (warning !== undefined) console.complain(warning)
    console.print(formatBanner(config, { ...started, firstToken: first?.token }, { colour: console.isTerminal }))
    log.info({ signal: await console.stopRequested }, 'stopping')
  } catch (error) {
    throw explain(error, config)
  } finally {
    const isInTime = await withDeadline(stopAll([() => control?.stop(), () => bridge.stop(), () => storage.close()]), STOP_DEADLINE_MS)
    if (isInTime) log.info('stopped')
    else log.warn('gave up waiting for connections to end')
  }
}

/** Reads and tries certificate and key before anything is built on them. */
function checkTls({ tls }: Config): void {
  if (tls === undefined) return
  const cert = readPem('--tls-cert', tls.certFile)
  const key = readPem('--tls-key', tls.keyFile)
  try {
    createSecureContext({ cert, key })
  } catch (error) {
    throw new ConfigError(
      `--tls-cert and --tls-key cannot be used together (${reasonOf(error)}): give a PEM certificate and the key that belongs to it`,
    )
  }
}

function readPem(flag: string, file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (error) {
    const reason = error instanceof Error && 'code' in error && error.code === 'ENOENT' ? 'there is no such file' : reasonOf(error)
    throw new ConfigError(`${flag} ${file} cannot be read (${reason}): give the path of a PEM file that this user may read`)
  }
}

/** What a person can mend is said in one line; anything else keeps its stack. */
function explain(error: unknown, config: Config): unknown {
  return explainPort(error, config.host, config.port, '--port or --p2p-port') ?? error
}
