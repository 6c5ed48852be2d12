/**
 * The public UDP port. It passes QUIC packets, which it cannot read, between clients and servers on this machine's loopback: one local socket for each
 * client address and port (a flow). Because it stands in between,
 * - a new certificate can come with a new server while the old one keeps its sessions, all on one public port;
 * - flows are capped per address before any handshake costs anything; the native server knows no addresses.
 * Price: each packet passes through Node (measured in README.md). Not here: TLS, HTTP/3, WebTransport, or who may come in.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import type { AddressInfo } from 'node:net'
import { addressKey } from '../websocket/address-key.ts'
import { destinationIdOf, isLongHeader, isOpening, sourceIdOf } from './quic-header.ts'

export interface UdpFrontLimits {
  /** Flows in all; each holds one local socket. */
  readonly maxFlows: number
  /** Flows of one address; see address-key.ts. */
  readonly maxFlowsPerAddress: number
  /** Flows that are still in their handshake, in all: what somebody can take up who sends from forged addresses. */
  readonly maxPendingFlows: number
  readonly maxPendingFlowsPerAddress: number
  /** A flow in its handshake for longer is dropped. */
  readonly pendingFlowMs: number
  /** A flow from which nothing came for longer is dropped; above QUIC's own idle timeout, so that nothing living is lost. */
  readonly idleFlowMs: number
}

export interface UdpFront {
  /** @returns the port. @throws Node's error when it cannot be had. */
  bind(address: { readonly host: string; readonly port: number }): Promise<number>
  /** New flows go to this port of 127.0.0.1 from now on; the others stay where they are. */
  route(serverPort: number): void
  readonly flows: number
  /** Idempotent. */
  close(): Promise<void>
}

interface Flow {
  readonly id: string
  readonly key: string
  readonly socket: Socket
  readonly serverPort: number
  /** By which packets of a client that has moved are known; at most two. */
  readonly serverIds: string[]
  pending: boolean
  /** Packets that came before the local socket was ready; undefined afterwards. */
  waiting: Buffer[] | undefined
  /** In sweeps: a clock would drop everything after the machine has slept. */
  openedAt: number
  heardAt: number
}

const SWEEP_MS = 1_000
/** Bytes that may wait in one socket; more are dropped, as a full network would. */
const MAX_QUEUED_BYTES = 2_000_000
/** A burst of a whole congestion window should not be lost in the kernel. It gives what it allows, often less. */
const SOCKET_BUFFER_BYTES = 4_000_000
/** A connecting socket is ready within a turn of the event loop. */
const MAX_WAITING_PACKETS = 16
const LOOPBACK = '127.0.0.1'

export function createUdpFront(limits: UdpFrontLimits): UdpFront {
  const flows = new Map<string, Flow>()
  /** Server ids of flows, and to which server they lead. */
  const servers = new Map<string, number>()
  const perAddress = new Map<string, { flows: number; pending: number }>()
  let pending = 0
  let sweeps = 0
  let route = 0
  let socket: Socket | undefined
  let timer: NodeJS.Timeout | undefined

  const admits = (key: string): boolean => {
    const own = perAddress.get(key)
    return (
      flows.size < limits.maxFlows &&
      pending < limits.maxPendingFlows &&
      (own === undefined || (own.flows < limits.maxFlowsPerAddress && own.pending < limits.maxPendingFlowsPerAddress))
    )
  }

  const open = (id: string, key: string, { address, port }: RemoteInfo, serverPort: number): Flow => {
    const local = createSocket({ type: 'udp4', lookup: numericLookup })
    const flow: Flow = { id, key, socket: local, serverPort, serverIds: [], pending: true, waiting: [], openedAt: sweeps, heardAt: sweeps }
    const own = perAddress.get(key) ?? { flows: 0, pending: 0 }
    perAddress.set(key, own)
    own.flows++
    own.pending++
    pending++
    flows.set(id, flow)
    local.on('message', (packet) => {
      if (flow.pending && isLongHeader(packet)) learn(flow, packet)
      if (socket !== undefined && socket.getSendQueueSize() < MAX_QUEUED_BYTES) socket.send(packet, port, address, ignore)
    })
    // The server is gone: so are the sessions of this flow.
    local.on('error', () => {
      drop(flow)
    })
    local.connect(serverPort, LOOPBACK, () => {
      const { waiting = [] } = flow
      flow.waiting = undefined
      for (const packet of waiting) local.send(packet, ignore)
    })
    return flow
  }

  const learn = (flow: Flow, packet: Buffer): void => {
    const id = sourceIdOf(packet)
    if (id === undefined || id === '' || flow.serverIds.length >= 2 || servers.has(id)) return
    flow.serverIds.push(id)
    servers.set(id, flow.serverPort)
  }

  const settle = (flow: Flow): void => {
    if (!flow.pending) return
    flow.pending = false
    pending--
    const own = perAddress.get(flow.key)
    if (own !== undefined) own.pending--
  }

  const drop = (flow: Flow): void => {
    if (flows.get(flow.id) !== flow) return
    settle(flow)
    flows.delete(flow.id)
    for (const id of flow.serverIds) servers.delete(id)
    const own = perAddress.get(flow.key)
    if (own !== undefined && --own.flows === 0) perAddress.delete(flow.key)
    flow.socket.close()
  }

  /** The server for the first packet of a flow; undefined for what begins nothing: noise, scans, strays of dead connections. */
  const serverFor = (packet: Buffer): number | undefined => {
    if (isOpening(packet)) return route
    // The network gave a client another address: its packets still name the server's id.
    return isLongHeader(packet) ? undefined : servers.get(destinationIdOf(packet))
  }

  const receive = (packet: Buffer, from: RemoteInfo): void => {
    const id = `${from.address} ${from.port}`
    let flow = flows.get(id)
    if (flow === undefined) {
      const serverPort = serverFor(packet)
      const key = addressKey(from.address)
      if (serverPort === undefined || !admits(key)) return
      flow = open(id, key, from, serverPort)
    }
    flow.heardAt = sweeps
    // What has a short header is encrypted with the keys that the handshake gives.
    if (flow.pending && !isLongHeader(packet)) settle(flow)
    if (flow.waiting === undefined) {
      if (flow.socket.getSendQueueSize() < MAX_QUEUED_BYTES) flow.socket.send(packet, ignore)
    } else if (flow.waiting.length < MAX_WAITING_PACKETS) flow.waiting.push(packet)
  }

  const sweep = (): void => {
    sweeps++
    for (const flow of flows.values()) {
      const isLate = flow.pending && (sweeps - flow.openedAt) * SWEEP_MS > limits.pendingFlowMs
      if (isLate || (sweeps - flow.heardAt) * SWEEP_MS > limits.idleFlowMs) drop(flow)
    }
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
    route(serverPort) {
      route = serverPort
    },
    get flows() {
      return flows.size
    },
    async close() {
      const closing = socket
      socket = undefined
      clearInterval(timer)
      for (const flow of flows.values()) drop(flow)
      if (closing !== undefined) await new Promise<void>((resolve) => closing.close(resolve))
    },
  }
}

function ignore(): void {}

/** Addresses here are numbers already; Node's own lookup costs a turn of the event loop for each packet. */
function numericLookup(address: string, _options: unknown, found: (error: null, address: string, family: number) => void): void {
  found(null, address, address.includes(':') ? 6 : 4)
}
