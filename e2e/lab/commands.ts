/**
 * A layout as the commands that build it. Pure: lines for one shell, run by world.ts.
 *
 * A line between a router and the core is a pair of VXLAN devices: the kernel packs each frame into a datagram for the line holder (line-process.ts), which
 * keeps it as long as the line is, or loses it, and sends it to the other end. So a line needs neither a kernel with netem nor a compiled program.
 */
import { hostsOf, namespacesOf, type Host, type Layout, type Site } from './layout.ts'
import { CORE_RULES, rulesFor } from './rules.ts'

/** Between the lines' ends and their holder, seen by no one else. */
export const LINE_ENDS_ADDRESS = '10.255.255.1'
export const LINE_HOLDER_ADDRESS = '10.255.255.2'
const FIRST_LINE_PORT = 4800

/** The VXLAN number of a line's end at the router; the core's is one more. */
function lineIdOf(site: Pick<Site, 'number'>): number {
  return site.number * 2
}

/** Of its own for each line, so that a burst on one fills no other's queue in the kernel. */
export function linePortOf(site: Pick<Site, 'number'>): number {
  return FIRST_LINE_PORT + site.number
}

export function buildCommands(layout: Layout): readonly string[] {
  const { core, landmark } = layout
  return [
    ...namespacesOf(layout).flatMap(namespace),
    ...lineSpace(layout),
    `ip netns exec ${core} sysctl -qw net.ipv4.ip_forward=1`,
    ...rules(core, CORE_RULES),
    ...server(core, layout.bridge, 'bridge', '11.0.0.1'),
    ...server(core, landmark, 'landmark', '11.0.255.1'),
    `ip -n ${landmark.namespace} addr add ${landmark.otherAddress}/24 dev eth0`,
    ...layout.sites.flatMap((site) => siteCommands(layout, site)),
  ]
}

function namespace(name: string): readonly string[] {
  return [
    `ip netns add ${name}`,
    // Reno shows loss, which the congestion control that many machines have hides.
    `ip netns exec ${name} sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv4.tcp_congestion_control=reno`,
    `ip -n ${name} link set lo up`,
  ]
}

function rules(name: string, text: string): readonly string[] {
  return [`ip netns exec ${name} nft -f - <<'END'\n${text}\nEND`]
}

/** The cable must carry a whole frame and what is put around it; sums that a card would fill in later have to be right before a program sees the frame. */
function lineSpace({ lineEnds, lineHolder }: Layout): readonly string[] {
  return [
    `ip link add ends netns ${lineEnds} mtu 9000 type veth peer name holder netns ${lineHolder} mtu 9000`,
    `ip -n ${lineEnds} addr add ${LINE_ENDS_ADDRESS}/24 dev ends`,
    `ip -n ${lineHolder} addr add ${LINE_HOLDER_ADDRESS}/24 dev holder`,
    `ip -n ${lineEnds} link set ends up`,
    `ip -n ${lineHolder} link set holder up`,
    `ip netns exec ${lineEnds} ethtool -K ends tx off >/dev/null`,
  ]
}

function lineEnd(lineEnds: string, id: number, port: number, to: string, as: string): readonly string[] {
  const device = `v${id}`
  return [
    `ip -n ${lineEnds} link add name ${device} type vxlan id ${id} local ${LINE_ENDS_ADDRESS} remote ${LINE_HOLDER_ADDRESS} dstport ${port} nolearning`,
    `ip netns exec ${lineEnds} ethtool -K ${device} tx off tso off gso off gro off >/dev/null`,
    `ip -n ${lineEnds} link set ${device} netns ${to} name ${as}`,
    `ip -n ${to} link set ${as} up`,
  ]
}

function server(core: string, host: Host, device: string, coreAddress: string): readonly string[] {
  return [
    `ip link add eth0 netns ${host.namespace} type veth peer name ${device} netns ${core}`,
    `ip -n ${core} addr add ${coreAddress}/24 dev ${device}`,
    `ip -n ${core} link set ${device} up`,
    `ip -n ${host.namespace} addr add ${host.address}/24 dev eth0`,
    `ip -n ${host.namespace} link set eth0 up`,
    `ip -n ${host.namespace} route add default via ${coreAddress}`,
  ]
}

function siteCommands({ core, lineEnds }: Layout, site: Site): readonly string[] {
  const { router, routerAddress, coreAddress, line, lan, network } = site
  return [
    ...lineEnd(lineEnds, lineIdOf(site), linePortOf(site), router, 'wan'),
    ...lineEnd(lineEnds, lineIdOf(site) + 1, linePortOf(site), core, line),
    `ip -n ${core} addr add ${coreAddress}/24 dev ${line}`,
    `ip -n ${router} addr add ${routerAddress}/24 dev wan`,
    `ip -n ${router} route add default via ${coreAddress}`,
    `ip -n ${router} link add lan type bridge`,
    `ip -n ${router} addr add ${lan}.1/24 dev lan`,
    `ip -n ${router} link set lan up`,
    `ip netns exec ${router} sysctl -qw net.ipv4.ip_forward=1`,
    ...(network.nat === 'none' ? [`ip -n ${core} route add ${lan}.0/24 via ${routerAddress}`] : []),
    ...hostsOf(site).flatMap((host, index) => [
      `ip link add eth0 netns ${host.namespace} type veth peer name port${index} netns ${router}`,
      `ip -n ${router} link set port${index} master lan up`,
      `ip -n ${host.namespace} addr add ${host.address}/24 dev eth0`,
      `ip -n ${host.namespace} link set eth0 up`,
      `ip -n ${host.namespace} route add default via ${lan}.1`,
    ]),
    ...rules(router, rulesFor(site)),
  ]
}
