import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { readConfig, SETTINGS, type Config, type Flags } from './config.ts'
import { MAX_CONFIG_FILE_BYTES } from '../limits.ts'
import { readSettingsFile } from './settings-file.ts'
import { ConfigError } from './settings.ts'

const folder = mkdtempSync(join(tmpdir(), 'footbridge-settings-'))
afterAll(() => rmSync(folder, { recursive: true }))
const path = join(folder, 'footbridge.toml')

function read(toml: string, flags: Flags = {}, env: Record<string, string> = {}): Config {
  writeFileSync(path, toml)
  const given = { config: path, ...flags }
  return readConfig(given, env, readSettingsFile({ table: SETTINGS, flags: given, env, command: 'start' }))
}

function refusalOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    return (error as ConfigError).message
  }
  return 'accepted'
}

describe('of flag, variable, file and default the first that says something wins', () => {
  it.each<[string, Flags, Record<string, string>, string, number]>([
    ['a flag wins over all', { port: '1001' }, { FOOTBRIDGE_PORT: '1002' }, 'port = 1003', 1001],
    ['a variable wins over the file', {}, { FOOTBRIDGE_PORT: '1002' }, 'port = 1003', 1002],
    ['the file wins over the default', {}, {}, 'port = 1003', 1003],
    ['an empty variable says nothing', {}, { FOOTBRIDGE_PORT: '' }, 'port = 1003', 1003],
    ['an empty file says nothing', {}, {}, '# nothing', 8080],
    ['each setting has its own winner', { port: '1001' }, {}, 'port = 1003\nwt-port = 1004', 1001],
  ])('%s', (_why, flags, env, toml, port) => {
    expect(read(toml, flags, env).port).toBe(port)
  })

  it('also for defaults that follow from others', () => {
    expect(read('port = 9000')).toMatchObject({ port: 9000, p2pPort: 9001, wtPort: 9000 })
    expect(read('p2p-port = 7', { port: '9000' })).toMatchObject({ port: 9000, p2pPort: 7 })
  })

  it('and the file may be named by a variable', () => {
    writeFileSync(path, 'port = 1003')
    const env = { FOOTBRIDGE_CONFIG: path }
    expect(readConfig({}, env, readSettingsFile({ table: SETTINGS, flags: {}, env, command: 'start' })).port).toBe(1003)
    expect(readSettingsFile({ table: SETTINGS, flags: {}, env: {}, command: 'start' })).toBeUndefined()
  })
})

it('values are what TOML has: texts, numbers, switches, lists', () => {
  const config = read(`
    # The bridge of the reading group.
    name = "Reading group"
    guests = true
    drain = 1.5
    trusted-proxies = ["127.0.0.1", "10.0.0.0/8"]
    announce-addrs = "/dns4/bridge.example/tcp/8081,/dns4/bridge.example/tcp/443/tls/ws"
  `)
  expect(config).toMatchObject({
    name: 'Reading group',
    guests: true,
    drainMs: 1_500,
    trustedProxies: ['127.0.0.1', '10.0.0.0/8'],
    announceAddrs: ['/dns4/bridge.example/tcp/8081', '/dns4/bridge.example/tcp/443/tls/ws'],
  })
})

it('the example in docs/running.md is one', () => {
  const text = readFileSync(new URL('../../../../docs/running.md', import.meta.url), 'utf8')
  const [example = ''] = /^ {4}# \/etc\/footbridge\/footbridge\.toml\n(?: {4}.*\n)+/m.exec(text) ?? []
  expect(read(example)).toMatchObject({ port: 443, guests: true, metrics: ['127.0.0.1', '198.51.100.7'] })
})

describe('a file that cannot be used is told in one line', () => {
  it.each<[string, string]>([
    ['port = "x"', `${path}: port "x" must be a whole number from 0 to 65535`],
    ['port = true', `${path}: port "true" must be a whole number`],
    ['port = [1]', `${path}: port must be a text, a number, or true or false`],
    ['port = 1979-05-27', `${path}: port must be a text`],
    ['[port]\nnumber = 1', `${path}: port must be a text`],
    ['trusted-proxies = [1]', `${path}: trusted-proxies must be a text or a list of texts`],
    ['announce-addrs = ["/ip4/1.2.3.4/tcp/1", "nonsense"]', '"nonsense" is none'],
    ['prot = 1', `${path}: prot is not a setting: remove or correct it; did you mean port?`],
    ['dataDir = "x"', 'did you mean data-dir?'],
    ['tls_cert = "x"', 'did you mean tls-cert?'],
    ['colour = "x"', 'footbridge start --help lists all of them'],
    ['__proto__ = "x"', 'is not a setting'],
    ['config = "other.toml"', 'config cannot stand in a config file'],
    ['port = 1\nport = 2', `${path}, line 2, column`],
    ['name = "unfinished', `${path}, line 1, column`],
  ])('%s', (toml, message) => {
    const refusal = refusalOf(() => read(toml))
    expect(refusal).toContain(message)
    expect(refusal).not.toContain('\n')
  })

  it('when it is not there, is no file, or is none of settings', () => {
    const open = (file: string): string =>
      refusalOf(() => readSettingsFile({ table: SETTINGS, flags: { config: file }, env: {}, command: 'start' }))
    expect(open(join(folder, 'none.toml'))).toContain('there is no such file')
    expect(open(folder)).toContain('cannot be read')
    writeFileSync(join(folder, 'large.toml'), '#'.repeat(MAX_CONFIG_FILE_BYTES + 1))
    expect(open(join(folder, 'large.toml'))).toContain('are the most that settings need')
  })

  it('without a password that stands in it', () => {
    for (const toml of ['ice-servers = ["turn:alice:north@"]', 'ice-servers = "turn:alice:north@x" y'])
      expect(refusalOf(() => read(toml))).not.toContain('north')
  })
})
