/**
 * Settings of the network around the bridge: whom it knows at the start, in which networks it is, where it and its peers are announced, and whom it may dial.
 * Not here: where it is reached itself (listening.ts).
 */
import { MAX_CONFIGURED_TOPICS, MAX_KAD_PROTOCOLS, MAX_MDNS_TAGS, MAX_RENDEZVOUS_NAMESPACES } from '../limits.ts'
import { parseAddressList, parsePeerAddress, parseRelayAddress } from './multiaddrs.ts'
import { createSettingReader, setting, type Given } from './settings.ts'
import { parseAddressRange, parseList, parseNames, parseSwitch } from './values.ts'

export interface Surroundings {
  /** Peers to know at the start, each ending in /p2p/. */
  readonly bootstrapAddrs: readonly string[]
  /** Rendezvous points to register at, each ending in /p2p/. */
  readonly rendezvousAddrs: readonly string[]
  /** Relays to reserve on, each ending in /p2p/. */
  readonly relayAddrs: readonly string[]
  readonly mdns: boolean
  /** Service names, such as `_p2p._udp.local`. */
  readonly mdnsTags: readonly string[]
  readonly rendezvousNamespaces: readonly string[]
  /** Protocol ids of the Kademlia networks that the bridge is in; empty for none. */
  readonly kadProtocols: readonly string[]
  /** Topics of gossip that the bridge carries whoever is here. */
  readonly gossipTopics: readonly string[]
  readonly upnp: boolean
  /** IP addresses and CIDR ranges that the bridge dials whoever told them, though they are not public. */
  readonly dialPrivate: readonly string[]
}

export const SURROUNDINGS = {
  bootstrapAddrs: setting({
    flag: '--bootstrap-addrs <list>',
    env: 'FOOTBRIDGE_BOOTSTRAP_ADDRS',
    help: 'multiaddrs, comma-separated, of peers to begin with, each ending in /p2p/<id>: /dns4/boot.example/tcp/4001/p2p/12D3…',
    default: undefined,
    reason: 'none: the bridge joins nobody’s network unless the operator says which',
    parse: (text) => parseAddressList(text, parsePeerAddress),
  }),
  rendezvousAddrs: setting({
    flag: '--rendezvous-addrs <list>',
    env: 'FOOTBRIDGE_RENDEZVOUS_ADDRS',
    help: 'multiaddrs, comma-separated, of rendezvous points to register and look at, each ending in /p2p/<id>',
    default: undefined,
    reason: 'none: being found is for the operator to want; this bridge is a rendezvous point itself',
    parse: (text) => parseAddressList(text, parsePeerAddress),
  }),
  relayAddrs: setting({
    flag: '--relay-addrs <list>',
    env: 'FOOTBRIDGE_RELAY_ADDRS',
    help: 'multiaddrs, comma-separated, of relays to reserve on, each ending in /p2p/<id>',
    default: undefined,
    reason: 'a bridge that nobody can dial is reached over another relay; one with a public address needs none',
    parse: (text) => parseAddressList(text, parseRelayAddress),
  }),
  disableMdns: setting({
    flag: '--disable-mdns',
    env: 'FOOTBRIDGE_DISABLE_MDNS',
    help: 'neither look for peers on the local network nor be found there (true or false)',
    default: 'false',
    reason: 'on: peers beside the bridge find it without being told; on a hosted server there is nobody to find',
    parse: parseSwitch,
  }),
  mdnsTags: setting({
    flag: '--mdns-tags <list>',
    env: 'FOOTBRIDGE_MDNS_TAGS',
    help: 'service names, comma-separated, to use on the local network: _p2p._udp.local,goop-mdns.local',
    default: '_p2p._udp.local',
    reason: 'the name of the libp2p specification; some programs have one of their own, as goop-mdns.local, and see no other',
    parse: (text) => parseNames(text, MAX_MDNS_TAGS, parseMdnsTag),
  }),
  rendezvousNamespace: setting({
    flag: '--rendezvous-namespace <list>',
    env: 'FOOTBRIDGE_RENDEZVOUS_NAMESPACE',
    help: 'namespaces, comma-separated, under which the bridge and its visible peers are registered',
    default: 'footbridge',
    reason: 'peers of one kind meet in one namespace; give those of the programs that should find people here',
    parse: (text) => parseNames(text, MAX_RENDEZVOUS_NAMESPACES, parseNamespace),
  }),
  kadProtocols: setting({
    flag: '--kad-protocols <list>',
    env: 'FOOTBRIDGE_KAD_PROTOCOLS',
    help: 'protocol ids, comma-separated, of the Kademlia networks to be in: /ipfs/kad/1.0.0,/calimero/kad/1.0.0; off for none',
    default: '/ipfs/kad/1.0.0',
    reason: 'what most programs on libp2p speak; each network is a table of its own',
    parse: (text) => (text === 'off' ? [] : parseNames(text, MAX_KAD_PROTOCOLS, parseProtocolId)),
  }),
  gossipTopics: setting({
    flag: '--gossip-topics <list>',
    env: 'FOOTBRIDGE_GOSSIP_TOPICS',
    help: 'topics of gossip, comma-separated, to carry whoever is here: universal-connectivity',
    default: undefined,
    reason:
      'none: the bridge carries what its sessions use, from the first to the last of them; a room that should hold together without them is named here',
    parse: (text) => parseNames(text, MAX_CONFIGURED_TOPICS, parseTopic),
  }),
  upnp: setting({
    flag: '--upnp <switch>',
    env: 'FOOTBRIDGE_UPNP',
    help: 'ask the router to let peers in on the listening ports: on or off',
    default: 'off',
    reason: 'a program that opens a hole in a firewall does so only when it is told to',
    parse: parseSwitch,
  }),
  dialPrivate: setting({
    flag: '--dial-private <list>',
    env: 'FOOTBRIDGE_DIAL_PRIVATE',
    help: 'IP addresses and CIDR ranges, comma-separated, that the bridge may dial although they are not public: 10.8.0.0/16',
    default: undefined,
    reason:
      'none: strangers tell addresses too, and none of them may make the bridge knock at its own machine or network; a network of peers on a VPN needs its range here',
    parse: (text) => parseList(text, parseAddressRange),
  }),
} as const

/** @throws ConfigError */
export function readSurroundings(given: Given<typeof SURROUNDINGS>): Surroundings {
  const { read, required } = createSettingReader(SURROUNDINGS, given)
  return {
    bootstrapAddrs: read('bootstrapAddrs') ?? [],
    rendezvousAddrs: read('rendezvousAddrs') ?? [],
    relayAddrs: read('relayAddrs') ?? [],
    mdns: !required('disableMdns'),
    mdnsTags: required('mdnsTags'),
    rendezvousNamespaces: required('rendezvousNamespace'),
    kadProtocols: required('kadProtocols'),
    gossipTopics: read('gossipTopics') ?? [],
    upnp: required('upnp'),
    dialPrivate: read('dialPrivate') ?? [],
  }
}

/** RFC 6762: everything on the local network is under `local`. */
function parseMdnsTag(tag: string): string {
  if (!/^(?=.{1,128}$)([a-z0-9_][a-z0-9_-]{0,62}\.)+local$/i.test(tag))
    throw new Error(`must list names under .local, such as _p2p._udp.local; ${JSON.stringify(tag)} is none`)
  return tag
}

/** As the rendezvous specification has it. */
function parseNamespace(namespace: string): string {
  if (Buffer.byteLength(namespace) > 255) throw new Error('has a namespace of more than 255 bytes')
  return namespace
}

function parseTopic(topic: string): string {
  if (Buffer.byteLength(topic) > 256) throw new Error('has a topic of more than 256 bytes')
  return topic
}

function parseProtocolId(id: string): string {
  if (!/^\/[!-~]{1,127}$/.test(id)) throw new Error(`must list protocol ids such as /ipfs/kad/1.0.0; ${JSON.stringify(id)} is none`)
  return id
}
