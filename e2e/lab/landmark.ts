/** How the landmark is asked: ports and messages. It is served by landmark-process.ts. */

export const LANDMARK_UDP_PORT = 7000
/** 443 is let out where little is; the other is not. */
export const LANDMARK_TCP_PORTS = [443, 7000] as const

/** A datagram of JSON. */
export interface Question {
  readonly number: number
  /** Whether the answer is to come from the address that was not asked. */
  readonly fromOther: boolean
}

/** From which address the question came. */
export interface Answer {
  readonly number: number
  readonly address: string
  readonly port: number
}
