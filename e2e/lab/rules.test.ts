import { expect, test } from 'vitest'
import { buildCommands } from './commands.ts'
import { layOut, type Site } from './layout.ts'
import { chooseNetworks } from './networks.ts'
import { rulesFor } from './rules.ts'

const siteOf = (name: string): Site => layOut(chooseNetworks([name]), 1).sites[0]!
const rules = (name: string): string => rulesFor(siteOf(name))
const chain = (text: string, name: string): string =>
  new RegExp(`chain ${name} \\{([^}]*(?:\\{[^}]*\\}[^}]*)*)\\n  \\}`).exec(text)?.[1] ?? ''

test('without NAT nothing is translated, and inbound decides whether strangers come in', () => {
  expect(chain(rules('open'), 'after')).not.toContain('masquerade')
  expect(chain(rules('open'), 'forward')).toContain('iifname wan accept')
  expect(chain(rules('firewall'), 'after')).not.toContain('masquerade')
  expect(chain(rules('firewall'), 'forward')).not.toContain('iifname wan accept')
})

test('cones keep the port, a symmetric NAT takes another for every destination', () => {
  expect(chain(rules('cone'), 'after')).toMatch(/masquerade$/m)
  expect(chain(rules('full-cone'), 'after')).toMatch(/masquerade$/m)
  expect(chain(rules('symmetric'), 'after')).toContain('masquerade fully-random')
})

test('a full cone, and no other NAT, hands strangers’ datagrams to the machine inside', () => {
  expect(chain(rules('full-cone'), 'before')).toContain('udp dport 1024-65535 dnat to 192.168.1.10')
  expect(chain(rules('full-cone'), 'forward')).toContain('ct status dnat accept')
  for (const name of ['open', 'cone', 'symmetric']) expect(chain(rules(name), 'before')).not.toContain('dnat')
})

test('routers drop what is sent to themselves unasked, or a cone would take it for its own port', () => {
  for (const name of ['open', 'cone', 'symmetric', 'squid']) expect(chain(rules(name), 'input')).toContain('policy drop')
})

test('what is let out is what the description says, and the rest is dropped', () => {
  const outward = (name: string): readonly string[] =>
    chain(rules(name), 'forward')
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line.startsWith('iifname lan') && !line.includes('oifname lan'))
  expect(outward('cone')).toEqual(['iifname lan accept'])
  expect(outward('no-udp')).toEqual(['iifname lan meta l4proto udp drop', 'iifname lan accept'])
  expect(outward('tcp-443')).toEqual(['iifname lan tcp dport 443 accept'])
  expect(outward('squid')).toEqual(['iifname lan ip saddr 192.168.1.3 meta l4proto tcp accept'])
  for (const name of ['cone', 'no-udp', 'tcp-443', 'squid']) expect(chain(rules(name), 'forward')).toContain('policy drop')
})

test('no command leads out of the lab: every link and address is in a namespace of the run', () => {
  const layout = layOut(chooseNetworks(['open', 'squid']), 9)
  const outside = buildCommands(layout)
    .flatMap((command) => command.split('\n').slice(0, 1))
    .filter((command) => !/^ip (netns (add|exec) fblab9-|-n fblab9-|link add \w+ netns fblab9-)/.test(command))
  expect(outside).toEqual([])
})

test('a network without NAT is known to the core, one with NAT is not', () => {
  const commands = buildCommands(layOut(chooseNetworks(['open', 'cone']), 9)).join('\n')
  expect(commands).toContain('ip -n fblab9-core route add 11.1.1.0/24 via 11.0.1.2')
  expect(commands).not.toContain('route add 192.168.1.0/24')
})
