/**
 * Asks a TURN server (RFC 8656) for a relay with the credentials that sessions get, and gives it back: over UDP, TCP or TLS, as the url says.
 * Not here: relaying anything; that an address is given is what can go wrong.
 */
import { createHash, createHmac, randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { connect, type Socket } from 'node:net'
import { connect as connectSecure } from 'node:tls'
import { attribute, attributesOf, encodeMessage } from '../stun/message.ts'

const TYPES = { allocate: 0x0003, refresh: 0x0004 } as const
const ALLOCATED = 0x0103
const REFUSED = 0x0113
const ATTRIBUTE = {
  username: 0x0006,
  messageIntegrity: 0x0008,
  errorCode: 0x0009,
  lifetime: 0x000d,
  realm: 0x0014,
  nonce: 0x0015,
  relayed: 0x0016,
  requestedTransport: 0x0019,
} as const
const UDP = Uint8Array.of(17, 0, 0, 0)
const TIMEOUT_MS = 5_000
const RETRY_MS = 500

export interface TurnAccount {
  readonly username: string
  readonly credential: string
}

/** Ends well when a relay was given. @throws with the server's own reason otherwise. */
export async function askTurn(url: string, { username, credential }: TurnAccount): Promise<void> {
  const wire = await openWire(url)
  try {
    const first = await wire.exchange(TYPES.allocate, [attribute(ATTRIBUTE.requestedTransport, UDP)])
    const [realm, nonce] = [first.get(ATTRIBUTE.realm), first.get(ATTRIBUTE.nonce)]
    if (first.type !== REFUSED || realm === undefined || nonce === undefined)
      throw new Error('it did not ask for a password, as a TURN server does')
    const key = createHash('md5')
      .update(`${username}:${Buffer.from(realm).toString()}:${credential}`)
      .digest()
    const account = [
      attribute(ATTRIBUTE.username, Buffer.from(username)),
      attribute(ATTRIBUTE.realm, realm),
      attribute(ATTRIBUTE.nonce, nonce),
    ]
    const answer = await wire.exchange(TYPES.allocate, [attribute(ATTRIBUTE.requestedTransport, UDP), ...account], key)
    if (answer.type !== ALLOCATED) throw new Error(`it refuses: ${describeError(answer.get(ATTRIBUTE.errorCode))}`)
    // A lifetime of nothing gives the relay back.
    await wire.exchange(TYPES.refresh, [attribute(ATTRIBUTE.lifetime, new Uint8Array(4)), ...account], key).catch(() => {})
  } finally {
    wire.close()
  }
}

interface Answer {
  readonly type: number
  get(attribute: number): Uint8Array | undefined
}

interface Wire {
  exchange(type: number, attributes: readonly Uint8Array[], key?: Uint8Array): Promise<Answer>
  close(): void
}

async function openWire(url: string): Promise<Wire> {
  const [, scheme = '', bracketed, plain, port, transport] =
    /^(turns?):(?:\[([^\]]+)\]|([^:?]+))(?::(\d+))?(?:\?transport=(udp|tcp))?$/.exec(url) ?? []
  const host = bracketed ?? plain ?? ''
  const isSecure = scheme === 'turns'
  const place = { host, port: Number(port ?? (isSecure ? 5349 : 3478)) }
  if (!isSecure && transport !== 'tcp') return openUdp(place)
  // UDP under `turns:` is DTLS, which Node has not; browsers take TLS for it.
  const socket = isSecure ? connectSecure({ ...place, servername: /[a-z]/i.test(host) && !host.includes(':') ? host : '' }) : connect(place)
  return overStream(socket, isSecure ? 'secureConnect' : 'connect')
}

async function openUdp({ host, port }: { host: string; port: number }): Promise<Wire> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject)
    socket.connect(port, host, () => resolve())
  })
  let receive: (packet: Buffer) => void = () => {}
  let fail: (error: Error) => void = () => {}
  socket.on('message', (packet) => receive(packet)).on('error', (error) => fail(error))
  return {
    exchange: (type, attributes, key) =>
      awaitAnswer(type, attributes, key, (request, handlers) => {
        receive = handlers.receive
        fail = handlers.fail
        socket.send(request)
        const timer = setInterval(() => socket.send(request), RETRY_MS)
        return () => clearInterval(timer)
      }),
    close: () => void socket.close(),
  }
}

async function overStream(socket: Socket, ready: string): Promise<Wire> {
  await new Promise<void>((resolve, reject) => {
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error('no answer')))
    socket.once(ready, resolve).once('error', reject)
  }).catch((error: unknown) => {
    socket.destroy()
    throw error
  })
  let receive: (packet: Buffer) => void = () => {}
  let fail: (error: Error) => void = () => {}
  let rest = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk])
    while (rest.length >= 20 && rest.length >= 20 + rest.readUInt16BE(2)) {
      const end = 20 + rest.readUInt16BE(2)
      receive(rest.subarray(0, end))
      rest = rest.subarray(end)
    }
  })
  socket.on('error', (error) => fail(error)).on('close', () => fail(new Error('the connection was cut')))
  return {
    exchange: (type, attributes, key) =>
      awaitAnswer(type, attributes, key, (request, handlers) => {
        receive = handlers.receive
        fail = handlers.fail
        socket.write(request)
        return () => {}
      }),
    close: () => socket.destroy(),
  }
}

async function awaitAnswer(
  type: number,
  attributes: readonly Uint8Array[],
  key: Uint8Array | undefined,
  send: (request: Uint8Array, handlers: { receive: (packet: Buffer) => void; fail: (error: Error) => void }) => () => void,
): Promise<Answer> {
  const id = randomBytes(12)
  const request = key === undefined ? encodeMessage(type, id, attributes) : sign(type, id, attributes, key)
  let timer: NodeJS.Timeout | undefined
  let end = (): void => {}
  try {
    return await new Promise<Answer>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error('no answer')), TIMEOUT_MS)
      const receive = (packet: Buffer): void => {
        const attributesFound = packet.length >= 20 && packet.subarray(8, 20).equals(id) ? attributesOf(packet) : undefined
        if (attributesFound === undefined) return
        resolve({ type: packet.readUInt16BE(0), get: (wanted) => attributesFound.find((each) => each.type === wanted)?.value })
      }
      end = send(request, { receive, fail: reject })
    })
  } finally {
    clearTimeout(timer)
    end()
  }
}

/** MESSAGE-INTEGRITY covers what stands before it, with a length that includes it. */
function sign(type: number, id: Uint8Array, attributes: readonly Uint8Array[], key: Uint8Array): Uint8Array {
  const message = Buffer.from(encodeMessage(type, id, [...attributes, attribute(ATTRIBUTE.messageIntegrity, new Uint8Array(20))]))
  createHmac('sha1', key)
    .update(message.subarray(0, -24))
    .digest()
    .copy(message, message.length - 20)
  return message
}

function describeError(value: Uint8Array | undefined): string {
  if (value === undefined || value.length < 4) return 'without a reason'
  const phrase = Buffer.from(value.subarray(4))
    .toString()
    .replaceAll(/\p{Cc}/gu, '')
  return `${((value[2] ?? 0) & 7) * 100 + (value[3] ?? 0)} ${phrase}`.trim()
}
