/**
 * The public UDP port. It passes QUIC packets, which it cannot read, between clients and servers on this machine's loopback: one local socket for each
 * client address and port (a flow). Because it stands in between,
 * - a new certificate can come with a new server while the old one keeps its sessions, all on one public port;
 * - flows are capped per address before any handshake costs anything, and a request can be told from where it comes; the native server knows no addresses.
 * Price: each packet passes through Node (measured in README.md). Not here: TLS, HTTP/3, WebTransport, who may come in, the servers (server-pool.ts).
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import type { AddressInfo } from 'node:net'
import { addressKey } from '../websocket/address-key.ts'
import { destinationIdOf, isLongHeader, isOpening, isVersionNegotiation, looksLikeQuic, sourceIdOf } from './quic-header.ts'

export interface UdpFrontLimits {
  /** Flows in all; each holds one local socket. */
  readonly maxFlows: number
  /** Flows of one address; see address-key.ts. */
  readonly maxFlowsPerAddress: number
  /** Flows that are still in their handshake, in all: what somebody can take up who sends from forged addresses. */
  readonly maxPendingFlows: number
  readonly maxPendingFlowsPerAddress: number
  /** A flow that makes no request for longer is dropped. */
  readonly pendingFlowMs: number
  /** A flow from which nothing came for longer is dropped; above QUIC's own idle timeout, so that nothing living is lost. */
  readonly idleFlowMs: number
}

/** Where new flows go: each gets a server whose next request can only be its own (server-pool.ts). */
export interface FrontServers {
  /** @returns a port of 127.0.0.1 that no other flow begins with until it is given back. */
  take(): number | Promise<number>
  giveBack(port: number): void
}

/** A client as the network shows it. */
export interface ClientPlace {
  readonly address: string
  readonly port: number
}

/**
 * Another protocol on the same port, told apart by its first bytes (RFC 9443): asked about each datagram that does not look like QUIC.
 * @returns whether it takes the datagram; it may answer at once or later.
 */
export type Neighbour = (datagram: Buffer, from: RemoteInfo, reply: (answer: Uint8Array) => void) => boolean

export interface UdpFront {
  /** @returns the port. @throws Node's error when it cannot be had. */
  bind(address: { readonly host: string; readonly port: number }): Promise<number>
  /** A request came from this server: its flow is through its handshake, and the server free for the next. @returns undefined when that flow is gone. */
  claim(serverPort: number): ClientPlace | undefined
  readonly flows: number
  /** Idempotent. */
  close(): Promise<void>
}

interface Flow {
  readonly id: string
  readonly key: string
  readonly client: ClientPlace
  readonly socket: Socket
  /** Undefined until there is one. */
  serverPort: number | undefined
  /** By which packets of a client that has moved are known; at most two. */
  readonly serverIds: string[]
  /** The id that the client gave its server in its first packet. */
  openingId: string | undefined
  /** No request yet. */
  pending: boolean
  /** Packets that came before the local socket was ready; undefined afterwards. */
  waiting: Buffer[] | undefined
  /** The flow that this client address had before this one; there is no third. */
  older: Flow | undefined
  /** In sweeps: a clock would drop everything after the machine has slept. */
  openedAt: number
  heardAt: number
}

const SWEEP_MS = 1_000
/** Bytes that may wait in one socket; more are dropped, as a full network would. */
const MAX_QUEUED_BYTES = 2_000_000
/** A burst of a whole congestion window should not be lost in the kernel. It gives what it allows, often less. */
const SOCKET_BUFFER_BYTES = 4_000_000
/** Sweeps after which no request of a flow that was dropped can come any more: it was in our own program when the flow ended. */
const REST_SWEEPS = 2
/** A connecting socket is ready within a turn of the event loop. */
const MAX_WAITING_PACKETS = 16
const LOOPBACK = '127.0.0.1'

export function createUdpFront(limits: UdpFrontLimits, pool: FrontServers, neighbour?: Neighbour): UdpFront {
  /** The newest of each client address. */
  const flows = new Map<string, Flow>()
  const byServerId = new Map<string, Flow>()
  /** Flows without a request yet, by their server. */
  const pendingAt = new Map<number, Flow>()
  const perAddress = new Map<string, { flows: number; pending: number }>()
  /** Servers of flows that were dropped before their request: it may still be on its way to us, so nobody else gets them for a while. */
  let resting: { port: number; since: number }[] = []
  let count = 0
  let pending = 0
  let sweeps = 0
  let socket: Socket | undefined
  let timer: NodeJS.Timeout | undefined

  const admits = (key: string): boolean => {
    const own = perAddress.get(key)
    return (
      count < limits.maxFlows &&
      pending < limits.maxPendingFlows &&
      (own === undefined || (own.flows < limits.maxFlowsPerAddress && own.pending < limits.maxPendingFlowsPerAddress))
    )
  }

  const send = (packet: Uint8Array, port: number, address: string): void => {
    if (socket !== undefined && socket.getSendQueueSize() < MAX_QUEUED_BYTES) socket.send(packet, port, address, ignore)
  }

  /** @param serverPort known for a client that has moved: there will be no other request of it. */
  const open = (id: string, key: string, { address, port }: RemoteInfo, opening: { openingId?: string; serverPort?: number }): Flow => {
    const local = createSocket({ type: 'udp4', lookup: numericLookup })
    const isNew = opening.serverPort === undefined
    const flow: Flow = {
      id,
      key,
      client: { address, port },
      socket: local,
      serverPort: opening.serverPort,
      serverIds: [],
      openingId: opening.openingId,
      pending: isNew,
      waiting: [],
      older: flows.get(id),
      openedAt: sweeps,
      heardAt: sweeps,
    }
    const own = perAddress.get(key) ?? { flows: 0, pending: 0 }
    perAddress.set(key, own)
    own.flows++
    count++
    if (isNew) {
      own.pending++
      pending++
    }
    if (flow.older?.older !== undefined) drop(flow.older.older)
    flows.set(id, flow)
    local.on('message', (packet) => {
      if (flow.pending && isLongHeader(packet)) learn(flow, packet)
      send(packet, port, address)
    })
    // The server is gone: so are the sessions of this flow.
    local.on('error', () => {
      drop(flow)
    })
    if (opening.serverPort === undefined) void assign(flow)
    else connect(flow, opening.serverPort)
    return flow
  }

  const assign = async (flow: Flow): Promise<void> => {
    let serverPort: number
    try {
      serverPort = await pool.take()
    } catch {
      return drop(flow)
    }
    if (!isAlive(flow)) return pool.giveBack(serverPort)
    flow.serverPort = serverPort
    pendingAt.set(serverPort, flow)
    connect(flow, serverPort)
  }

  const connect = (flow: Flow, serverPort: number): void => {
    flow.socket.connect(serverPort, LOOPBACK, () => {
      const { waiting = [] } = flow
      flow.waiting = undefined
      for (const packet of waiting) flow.socket.send(packet, ignore)
    })
  }

  const learn = (flow: Flow, packet: Buffer): void => {
    if (isVersionNegotiation(packet)) {
      flow.openingId = undefined
      return
    }
    const id = sourceIdOf(packet)
    if (id === undefined || id === '' || flow.serverIds.length >= 2 || byServerId.has(id)) return
    flow.serverIds.push(id)
    byServerId.set(id, flow)
  }

  const settle = (flow: Flow): void => {
    if (!flow.pending) return
    flow.pending = false
    pending--
    const own = perAddress.get(flow.key)
    if (own !== undefined) own.pending--
    if (flow.serverPort !== undefined) pendingAt.delete(flow.serverPort)
  }

  const isAlive = (flow: Flow): boolean => {
    const newest = flows.get(flow.id)
    return newest === flow || newest?.older === flow
  }

  const drop = (flow: Flow): void => {
    const newest = flows.get(flow.id)
    if (newest === flow) {
      if (flow.older === undefined) flows.delete(flow.id)
      else flows.set(flow.id, flow.older)
    } else if (newest?.older === flow) newest.older = undefined
    else return
    if (flow.pending && flow.serverPort !== undefined) resting.push({ port: flow.serverPort, since: sweeps })
    settle(flow)
    for (const id of flow.serverIds) byServerId.delete(id)
    const own = perAddress.get(flow.key)
    if (own !== undefined && --own.flows === 0) perAddress.delete(flow.key)
    count--
    flow.socket.close()
  }

  /** A flow for a packet that belongs to none that is there; undefined for what begins nothing: noise, scans, strays of dead connections. */
  const begin = (id: string, packet: Buffer, from: RemoteInfo): Flow | undefined => {
    const key = addressKey(from.address)
    if (isOpening(packet)) return admits(key) ? open(id, key, from, { openingId: destinationIdOf(packet) }) : undefined
    // The network gave a client another address: its packets still name the server's id.
    const serverPort = isLongHeader(packet) ? undefined : byServerId.get(destinationIdOf(packet))?.serverPort
    return serverPort !== undefined && admits(key) ? open(id, key, from, { serverPort }) : undefined
  }

  const knows = (flow: Flow, destination: string): boolean => flow.openingId === destination || flow.serverIds.includes(destination)

  /** A client may begin again from the same address and port, as programs with one socket for all their connections do. */
  const flowFor = (id: string, packet: Buffer, from: RemoteInfo): Flow | undefined => {
    const newest = flows.get(id)
    if (newest === undefined) return begin(id, packet, from)
    if (isOpening(packet)) {
      const destination = destinationIdOf(packet)
      if (knows(newest, destination) || newest.openingId === undefined) return newest
      if (newest.older !== undefined && knows(newest.older, destination)) return newest.older
      // Two beginnings at one server, and a request would not tell whose it is.
      return newest.pending ? undefined : begin(id, packet, from)
    }
    if (newest.older === undefined) return newest
    const owner = byServerId.get(destinationIdOf(packet))
    if (owner?.id === id) return owner
    return newest.pending ? newest.older : newest
  }

  const receive = (packet: Buffer, from: RemoteInfo): void => {
    // Clients may grease the bit that marks QUIC (RFC 9287): what the neighbour does not know goes on.
    if (neighbour !== undefined && !looksLikeQuic(packet) && neighbour(packet, from, (answer) => send(answer, from.port, from.address)))
      return
    const flow = flowFor(`${from.address} ${from.port}`, packet, from)
    if (flow === undefined) return
    flow.heardAt = sweeps
    if (flow.waiting === undefined) {
      if (flow.socket.getSendQueueSize() < MAX_QUEUED_BYTES) flow.socket.send(packet, ignore)
    } else if (flow.waiting.length < MAX_WAITING_PACKETS) flow.waiting.push(packet)
  }

  const sweep = (): void => {
    sweeps++
    for (const newest of flows.values())
      for (const flow of [newest.older, newest]) {
        if (flow === undefined) continue
        const isLate = flow.pending && (sweeps - flow.openedAt) * SWEEP_MS > limits.pendingFlowMs
        if (isLate || (sweeps - flow.heardAt) * SWEEP_MS > limits.idleFlowMs) drop(flow)
      }
    const rested = resting.filter(({ since }) => sweeps - since >= REST_SWEEPS)
    resting = resting.filter((each) => !rested.includes(each))
    for (const { port } of rested) pool.giveBack(port)
  }

  return {
    async bind({ host, port }) {
      const bound = createSocket({ type: host.includes(':') ? 'udp6' : 'udp4', lookup: numericLookup })
      socket = bound
      await new Promise<void>((resolve, reject) => {
        bound.once('error', reject)
        bound.bind(port, host, () => {
          bound.off('error', reject)
          resolve()
        })
      })
      // A packet that cannot be sent is a lost packet.
      bound.on('error', ignore)
      bound.setRecvBufferSize(SOCKET_BUFFER_BYTES)
      bound.setSendBufferSize(SOCKET_BUFFER_BYTES)
      bound.on('message', receive)
      timer = setInterval(sweep, SWEEP_MS).unref()
      return (bound.address() as AddressInfo).port
    },
    claim(serverPort) {
      const flow = pendingAt.get(serverPort)
      if (flow === undefined) return undefined
      settle(flow)
      pool.giveBack(serverPort)
      return flow.client
    },
    get flows() {
      return count
    },
    async close() {
      const closing = socket
      socket = undefined
      clearInterval(timer)
      for (const newest of flows.values()) for (const flow of [newest.older, newest]) if (flow !== undefined) drop(flow)
      if (closing !== undefined) await new Promise<void>((resolve) => closing.close(resolve))
    },
  }
}

function ignore(): void {}

/** Addresses here are numbers already; Node's own lookup costs a turn of the event loop for each packet. */
function numericLookup(address: string, _options: unknown, found: (error: null, address: string, family: number) => void): void {
  found(null, address, address.includes(':') ? 6 : 4)
}
