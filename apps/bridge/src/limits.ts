/**
 * Every cap of the bridge alone, each with its reason. Caps that both ends of a protocol must know are in packages/shared/src/limits.ts.
 * A queue, map, rate or wait that is not bounded by something here is a fault.
 */
const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** Sessions. */

/** How long a login lasts. Short enough that a stolen access token soon ends, long enough that renewing costs nothing. */
export const SESSION_LIFE_MS = HOUR

/** Login nonces remembered until their timestamps go stale. A full cache refuses logins: forgetting one would let it be replayed. About 10 MB. */
export const MAX_NONCES = 100_000

/** Guests. */

/** A guest token's life: a day's visit; then come again or ask for a token. */
export const GUEST_LIFE_MS = DAY
/** One browser each: a guest token never leaves the bridge, so a second device cannot use it anyway. */
export const GUEST_MAX_DEVICES = 1
/** Enough for talk and a few photos over the relay; what goes direct is not counted. */
export const GUEST_BYTES_PER_DAY = 200_000_000
/** 500 kB/s: a picture in a second or two, and a hundred busy guests fill no gigabit line. */
export const GUEST_BYTES_PER_SECOND = 500_000
/** A guest talks to a list of people, and a few call; not a site with a crowd. */
export const GUEST_MAX_CIRCUITS = 64
export const GUEST_CIRCUITS_PER_MINUTE = 120
/** Guests at once, expired ones not counted: with their daily bytes this bounds what strangers cost at 100 GB a day. */
export const MAX_GUESTS = 500

/** The first token. */

/** What is printed at the first start is for the operator's own devices and a few friends; the rest get tokens of their own. */
export const FIRST_TOKEN_MAX_DEVICES = 10

/** Tokens. */

/** Characters of a label: one line of a table. */
export const MAX_LABEL_LENGTH = 64
/** Tokens of the operator; the list is read whole by the command line. */
export const MAX_TOKENS = 10_000

/** Attempts. Buckets are chosen by a keyed hash, so their number is fixed however many addresses try. */
export const RATE_LIMIT_BUCKETS = 65_536
export const LOGIN_WINDOW_SECONDS = 60
/** Points a minute for one address: a class behind one NAT logs in at nine o'clock at one point each. */
export const LOGIN_POINTS_PER_ADDRESS = 300
/** What a refused login costs instead of one point: fifteen wrong tokens a minute are not a person. */
export const LOGIN_REFUSAL_POINTS = 20
/** Logins a minute that show one token: above any class, below what would load the store. */
export const LOGIN_POINTS_PER_TOKEN = 600
export const GUEST_WINDOW_SECONDS = 3_600
/** New guests an hour from one address (IPv6: from one /64). A household or a table in a café. */
export const GUEST_POINTS_PER_ADDRESS = 20

/** Settings. */

/** A config file: every setting with a comment of a page has less. */
export const MAX_CONFIG_FILE_BYTES = 256 * 1024

/** HTTP. */

/** Body of an API request; a login with the longest name has under 2 KB. */
export const MAX_API_BODY_BYTES = 8 * 1024

/** Roles. */

/** PeerIDs that `footbridge relay` may be told to let in: as many as its reservations can be. */
export const MAX_ALLOWED_PEERS = 10_000
/** At `footbridge rendezvous`, of one network (IPv4 /24, IPv6 /48): a large office, and a twentieth of the places, so that nobody takes them all. */
export const MAX_REGISTRATIONS_PER_NETWORK = 500
/** libp2p connections of a role alone: a small server carries them, and a relay for more says so with a bridge. */
export const MAX_ROLE_CONNECTIONS = 4_000

/** Metrics. */

/** Different labels of one metric: above what our own words make, and a fault that puts a stranger's words into a label stays small. */
export const MAX_SERIES_PER_METRIC = 256
/** How old a text of `/metrics` may be that is given again: reading it costs milliseconds, and where it is public anybody may ask. */
export const METRICS_REUSE_MS = SECOND

/** Native peers. */

/** Connections that come in, of every kind: above the virtual peers of one bridge, with room for native visitors. */
export const MAX_CONNECTIONS = 12_000
/**
 * Connections over TCP, QUIC and WebRTC-direct of one address (IPv6: of one /64): the devices of a class behind one NAT several times over, and too few for one machine to take all
 * places. Loopback is not counted, because tunnels and proxies end there. WebSockets have caps of their own in the listener.
 */
export const MAX_NATIVE_CONNECTIONS_PER_ADDRESS = 256

/** The network. */

/** The bridge's own addresses that others are told: a HOP answer has 4 KiB for them and the voucher. Five kinds on three interfaces, and one. */
export const MAX_OWN_ADDRESSES = 16
/** Addresses in one setting: above any list that a person keeps by hand; each may cost a dial that hangs. */
export const MAX_NETWORK_ADDRESSES = 64
/** Each has its own sockets, and its questions are answered by every machine on the local network. */
export const MAX_MDNS_TAGS = 4
/** Namespaces are registered at each of three points. */
export const MAX_RENDEZVOUS_NAMESPACES = 8
/** Each is a routing table, with queries of its own. */
export const MAX_KAD_PROTOCOLS = 4
/** Topics of gossip that are always carried: each is a mesh of its own. */
export const MAX_CONFIGURED_TOPICS = 64

/** Places on the local network that may be dialled because somebody there said so; each is a few hundred bytes, and one machine can tell many. */
export const MAX_LAN_ADDRESSES = 1_024

/**
 * Circuits to the bridge itself that wait for their handshake, from all its relays together: far above the visitors of one moment, and an eighth of the handshakes that it does at once,
 * so that a bad relay keeps no browser out.
 */
export const MAX_PENDING_CIRCUITS = 64
/** How long a refused STOP stream may stay open: the answer is a few bytes, and relays close at once. */
export const STOP_ANSWER_MS = 10 * SECOND

/** Connections that the bridge has dialled and nobody wants any more: a look-up in Kademlia opens dozens, and the next one finds some of them open. */
export const MAX_IDLE_DIALLED = 100
/** Peers heard of and never met, at about 2 KB each in libp2p's peer store. */
export const MAX_PEERS_HEARD_OF = 2_000
/** What one Kademlia network may leave with us, and of what size: about 20 MB at the most. */
export const MAX_KAD_ENTRIES = 20_000
export const MAX_KAD_VALUE_BYTES = 1_024

/** STUN. */

/**
 * What a login from an address adds to what STUN may send there, in bytes: less than any login has, so that still no address is sent more than came from
 * it. At 12 bytes for each answer that a bare request does not pay, 50 of them.
 */
export const STUN_LOGIN_CREDIT_BYTES = 600
/** Credit does not pile up: what somebody could save in another's name and have sent to them at once. */
export const STUN_MAX_CREDIT_BYTES = 1_200
/** Addresses with credit, at 150 bytes each; beyond it the oldest begins anew, which costs it a retransmission. */
export const STUN_MAX_ADDRESSES = 32_768
/**
 * Requests a second of one network (IPv4 /24, IPv6 /48). A school of 500 behind one address, each with three talks kept alive every ten seconds on two
 * ports, makes 300.
 */
export const STUN_PER_SECOND_AND_NETWORK = 400
export const STUN_BURST_PER_NETWORK = 800
export const STUN_MAX_NETWORKS = 8_192
/** Requests a second in all: what can be answered beside the relay. */
export const STUN_PER_SECOND_IN_ALL = 5_000
export const STUN_BURST_IN_ALL = 5_000

/** TURN. */

/** How much longer than the session its TURN credentials are good: a renewed login brings new ones, and running relays are refreshed with the old until then. */
export const TURN_GRACE_MS = 10 * MINUTE
/** However long a session should ever last. */
export const MAX_TURN_LIFE_MS = 4 * HOUR

/** Certificates. */

/** How often the files of --tls-cert and --tls-key are looked at for renewed ones. */
export const CERTIFICATE_CHECK_MS = MINUTE

/** Usage. */

/** How often relayed bytes are written down: what a crash can forget of a token's day. */
export const USAGE_FLUSH_MS = 5 * SECOND
/** Tokens, peers and addresses whose day is counted at once, at 100 bytes each; a peer or an address beyond it makes the oldest one's day begin anew. */
export const MAX_DAILY_METERS = 100_000
/** Days of usage kept: today decides, the rest is for the operator to look at. */
export const USAGE_KEPT_DAYS = 31

/** Housekeeping: how often expired guests and old usage are removed. */
export const HOUSEKEEPING_MS = 10 * MINUTE

/** Administration. */

/** A Unix socket's path has 108 bytes on Linux and 104 on macOS, with a zero at the end. */
export const MAX_SOCKET_PATH_BYTES = 100
/** How long the command line waits for the bridge on its own machine. */
export const CONTROL_TIMEOUT_MS = 5 * SECOND
/** `footbridge peers --watch` processes at once; each holds a socket and a listener. */
export const MAX_CONTROL_WATCHERS = 16

/** Requests that `footbridge doctor` may be waiting for at once. */
export const MAX_SIGHTINGS = 16
/** How long the token lives with which `footbridge doctor` logs in once; housekeeping forgets it afterwards. */
export const DOCTOR_TOKEN_LIFE_MS = 5 * MINUTE

/** Announcing virtual peers to the network. */

/** Records carried at once, of every virtual peer that one bridge may have; each is kept twice, at 10 KB with its addresses. */
export const MAX_ANNOUNCED_PEERS = 10_000
/** Of one token: the devices of a class. A token that is passed around does not fill the bridge's rendezvous and its LAN. */
export const MAX_ANNOUNCED_PEERS_PER_TOKEN = 50
/** Frames a minute of one device: a person who changes their mind, and a new record for each change of address; not a program. */
export const MAX_ANNOUNCE_FRAMES_PER_MINUTE = 60
/** How long a record is still told after its addresses stopped being ours: time for the device to sign another. */
export const OUTDATED_RECORD_MS = MINUTE
/** How often our own addresses are looked at: those of WebTransport change with its certificates, and nobody tells. */
export const OWN_ADDRESSES_CHECK_MS = 30 * SECOND
/** How often a place that took no record is tried again. */
export const ANNOUNCE_RETRY_MS = 30 * SECOND
/** What a rendezvous is told to remember a virtual peer for. It is taken out when its session ends; this bounds what remote copies and a crash leave behind. */
export const ANNOUNCED_RENDEZVOUS_TTL_MS = 10 * MINUTE
/**
 * Registrations of peers that are not sessions, in the bridge's rendezvous: 40 MB with records at their limit. Beside MAX_REGISTRATIONS_PER_NETWORK for each network; virtual peers
 * are not among them, so that strangers cannot keep them out.
 */
export const MAX_STRANGERS_REGISTRATIONS = 5_000
/** Registrations that the sessions of one token make themselves: those of its announced peers, in as many namespaces as an operator may name. */
export const MAX_REGISTRATIONS_PER_TOKEN = MAX_ANNOUNCED_PEERS_PER_TOKEN * MAX_RENDEZVOUS_NAMESPACES
/** Above strangers and every virtual peer in one namespace, and in as many as an operator names for a full bridge: two records each, shared by its namespaces. */
export const MAX_REGISTRATIONS_PER_NAMESPACE = 15_000
export const MAX_REGISTRATIONS = 90_000
/** What a question at the rendezvous waits for Identify to tell who asks: a slow line's round trip, and no more for who never tells. */
export const IDENTIFY_WAIT_MS = 2 * SECOND
/** Virtual peers told on the LAN: each is a packet of 700 bytes for every machine there, with every question of one of them. */
export const MAX_MDNS_PEERS = 200
/** What LAN caches may keep if our goodbye is lost; as libp2p's own. */
export const MDNS_TTL_SECONDS = 120
/** Unasked repetition, twice in that time: a lost packet loses nobody, and peers that ask every five minutes keep them. */
export const MDNS_REPEAT_MS = MINUTE
/** RFC 6762 section 6: a record is not multicast again within a second, however many ask. */
export const MDNS_ANSWER_EVERY_MS = SECOND
/** Packets a tick while answers are spread, and the tick: 200 packets take two seconds, which no network notices. */
export const MDNS_PACKETS_PER_TICK = 10
export const MDNS_TICK_MS = 100

/** Stopping. */

/** Leaves three of STOP_DEADLINE_MS for sockets to close and the store to be written. */
export const MAX_DRAIN_SECONDS = 5
/** What browsers are told a restart takes at most; they try on after it too. */
export const RESTART_AWAY_MS = MINUTE
/** How long a notice has to leave before the sockets close, when there is no circuit to wait for. */
export const FAREWELL_MS = 50

/** After this the process leaves whatever still hangs. Below the ten seconds that container runtimes give. */
export const STOP_DEADLINE_MS = 8 * SECOND
