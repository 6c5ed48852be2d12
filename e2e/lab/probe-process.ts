/**
 * Asks, from a machine of one network, what that network really does: prints one `facts` event. Its argument is a ProbeTask in JSON.
 * Not here: what the facts should be (probe.ts).
 */
import { createSocket } from 'node:dgram'
import { connect, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { LANDMARK_TCP_PORTS, LANDMARK_UDP_PORT, type Answer, type Question } from './landmark.ts'

export interface ProbeTask {
  readonly landmark: readonly [string, string]
  /** Datagrams that are counted, for the loss. */
  readonly datagrams: number
  /** The bridge, by its name, on port 443; certificates are read, not judged. */
  readonly bridge: string
  /** The proxy that browsers are set to. */
  readonly proxy?: { readonly host: string; readonly port: number }
}

export interface ProbeFacts {
  readonly udp:
    | undefined
    | {
        /** The public ports that the two landmark addresses saw for one socket. */
        readonly ports: readonly [number, number]
        readonly isOwnAddress: boolean
        /** Whether an answer comes in from the address that was not asked. */
        readonly letsOthersIn: boolean
        readonly lostPercent: number
      }
  /** Of LANDMARK_TCP_PORTS, those that answer, with the time that a connection took. */
  readonly tcp: Readonly<Record<number, number>>
  /** The bridge over HTTPS: who signed the certificate that was shown, and the answers to a request for its health and to an upgrade. */
  readonly web: undefined | { readonly issuer: string; readonly health: number; readonly upgrade: number }
}

const WAIT_MS = 3_000
const BATCH = 20
const task = JSON.parse(process.argv[2] ?? '') as ProbeTask
const [udp, tcp, web] = await Promise.all([askUdp(task), askTcp(task), askWeb(task)])
// Sockets that nobody answers would keep it from ending.
process.stdout.write(`${JSON.stringify({ event: 'facts', facts: { udp, tcp, web } satisfies ProbeFacts })}\n`, () => process.exit())

/** One socket for all: what a NAT does to it, and how much is lost. */
async function askUdp({ landmark, datagrams }: ProbeTask): Promise<ProbeFacts['udp']> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 20 })
  socket.on('error', () => {})
  const answers = new Map<number, Answer>()
  socket.on('message', (message) => {
    const answer = JSON.parse(message.toString()) as Answer
    answers.set(answer.number, answer)
  })
  const ask = (to: string, question: Question): void => socket.send(JSON.stringify(question), LANDMARK_UDP_PORT, to, () => {})
  /** Asked again where lines lose packets. */
  const answered = async (to: string, question: Question, tries: number): Promise<Answer | undefined> => {
    for (let attempt = 0; attempt < tries && !answers.has(question.number); attempt++) {
      ask(to, question)
      const deadline = performance.now() + WAIT_MS / 3
      while (!answers.has(question.number) && performance.now() < deadline) await pause(5)
    }
    return answers.get(question.number)
  }
  try {
    await new Promise<void>((resolve) => socket.bind(0, resolve))
    const seen = [
      await answered(landmark[0], { number: 1, fromOther: false }, 3),
      await answered(landmark[1], { number: 2, fromOther: false }, 3),
    ]
    if (seen[0] === undefined || seen[1] === undefined) return undefined
    // A socket that has spoken to one address only: what comes from the other is from a stranger.
    const stranger = await askStranger(landmark[0])
    for (let number = 10; number < 10 + datagrams; number++) {
      ask(landmark[0], { number, fromOther: false })
      // A few at a time, or it is queues on a busy machine that lose them. Where the line loses some, a batch waits to the end.
      const deadline = performance.now() + WAIT_MS / 6
      while (number % BATCH === 0 && missing(answers, number) > 0 && performance.now() < deadline) await pause(5)
    }
    if (missing(answers, 9 + datagrams) > 0) await pause(WAIT_MS / 3)
    const back = [...answers.keys()].filter((number) => number >= 10).length
    return {
      ports: [seen[0].port, seen[1].port],
      isOwnAddress: isMine(seen[0].address),
      letsOthersIn: stranger,
      lostPercent: datagrams === 0 ? 0 : 100 - (100 * back) / datagrams,
    }
  } finally {
    socket.close()
  }
}

/** How many of those up to this one have no answer. */
function missing(answers: ReadonlyMap<number, Answer>, last: number): number {
  return last - 9 - [...answers.keys()].filter((number) => number >= 10).length
}

/** Whether this machine itself has the address. */
function isMine(address: string): boolean {
  return Object.values(networkInterfaces()).some((list) => list?.some((own) => own.address === address))
}

async function askStranger(landmark: string): Promise<boolean> {
  const socket = createSocket('udp4')
  socket.on('error', () => {})
  try {
    const heard = new Promise<boolean>((resolve) => {
      socket.once('message', () => resolve(true))
      setTimeout(() => resolve(false), WAIT_MS / 3)
    })
    const question: Question = { number: 3, fromOther: true }
    for (let attempt = 0; attempt < 3; attempt++) socket.send(JSON.stringify(question), LANDMARK_UDP_PORT, landmark, () => {})
    return await heard
  } finally {
    socket.close()
  }
}

async function askTcp({ landmark }: ProbeTask): Promise<Readonly<Record<number, number>>> {
  const times: Record<number, number> = {}
  await Promise.all(
    LANDMARK_TCP_PORTS.map(async (port) => {
      const startedAt = performance.now()
      const socket = await open(landmark[0], port).catch(() => undefined)
      if (socket === undefined) return
      times[port] = performance.now() - startedAt
      socket.destroy()
    }),
  )
  return times
}

async function askWeb(task: ProbeTask): Promise<ProbeFacts['web']> {
  try {
    const health = await request(task, '/healthz', [])
    const upgrade = await request(task, '/libp2p', [
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      `Origin: https://${task.bridge}`,
    ])
    return { issuer: health.issuer, health: health.status, upgrade: upgrade.status }
  } catch {
    return undefined
  }
}

async function request(
  { bridge, proxy }: ProbeTask,
  path: string,
  headers: readonly string[],
): Promise<{ status: number; issuer: string }> {
  const raw = await open(proxy?.host ?? bridge, proxy?.port ?? 443)
  try {
    if (proxy !== undefined) {
      raw.write(`CONNECT ${bridge}:443 HTTP/1.1\r\nHost: ${bridge}:443\r\n\r\n`)
      const status = await readStatus(raw)
      if (status !== 200) throw new Error(`CONNECT was answered with ${status}`)
    }
    const socket: TLSSocket = connectTls({ socket: raw, servername: bridge, rejectUnauthorized: false })
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve)
      socket.once('error', reject)
      socket.setTimeout(2 * WAIT_MS, () => socket.destroy(new Error('no handshake')))
    })
    const issuer = socket.getPeerCertificate().issuer.CN
    const standard = [`GET ${path} HTTP/1.1`, `Host: ${bridge}`]
    const ends = headers.length === 0 ? ['Connection: close'] : []
    socket.write([...standard, ...headers, ...ends, '', ''].join('\r\n'))
    return { status: await readStatus(socket), issuer: String(issuer) }
  } finally {
    raw.destroy()
  }
}

/** The number in an answer's first line; what follows is dropped up to now. */
async function readStatus(socket: Socket): Promise<number> {
  const head = await new Promise<string>((resolve, reject) => {
    socket.once('data', (chunk: Buffer) => resolve(chunk.toString('latin1')))
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('closed without an answer')))
    socket.setTimeout(2 * WAIT_MS, () => socket.destroy(new Error('no answer')))
  })
  return Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1])
}

function open(host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, family: 4, autoSelectFamily: false })
    const timer = setTimeout(() => socket.destroy(new Error(`${host}:${port} does not answer`)), WAIT_MS)
    socket.once('connect', () => {
      clearTimeout(timer)
      resolve(socket)
    })
    socket.once('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
  })
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
