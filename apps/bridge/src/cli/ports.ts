/**
 * Ports that cannot be had, told in one line that names the flag.
 */
import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'
import { CommandError } from './console.ts'

/** Tries the port before anything is built on it, so that the line names the right flag. */
export async function checkPort(host: string, port: number, flag: string, hostFlag?: string): Promise<void> {
  const server = createServer()
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ host, port, exclusive: true }, resolve)
    })
  } catch (error) {
    throw explainPort(error, host, port, flag, hostFlag) ?? error
  }
  await new Promise((resolve) => server.close(resolve))
}

export async function checkUdpPort(host: string, port: number, flag = '--wt-port', hostFlag = '--wt-host'): Promise<void> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject)
      socket.bind({ port, address: host, exclusive: true }, resolve)
    })
  } catch (error) {
    throw explainPort(error, host, port, flag, hostFlag) ?? error
  } finally {
    await new Promise<void>((resolve) => {
      socket.close(resolve)
    })
  }
}

/** One line for a person; undefined for what is no matter of ports. */
export function explainPort(error: unknown, host: string, port: number, flag: string, hostFlag = '--host'): CommandError | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  switch (code) {
    case 'EADDRINUSE':
      return new CommandError(`port ${port} on ${host} is taken: stop the program that has it, or choose another port with ${flag}`)
    case 'EACCES':
      return new CommandError(
        `port ${port} on ${host} is not for this user (ports below 1024 need privileges): choose another with ${flag}`,
      )
    case 'EADDRNOTAVAIL':
      return new CommandError(`${hostFlag} ${host} is not an address of this machine: use 127.0.0.1, 0.0.0.0, or one that it has`)
    default:
      return undefined
  }
}
