/**
 * Login: one request proves a PeerID and shows what entitles it, one answer says everything needed to connect. Refusals are FootbridgeErrors.
 *
 *     address limit ─ shape ─ clock ─ signature ─ nonce ─ credential ─ device count ─ access token ─ admit
 *
 * What is cheap and needs no secret is checked first; nothing is written before the signature holds. After the last await the token is looked at once
 * more, so that a revocation on its way wins.
 * Not here: the bytes that are signed (shared/login.ts), who is here (peers/registry.ts), HTTP (routes.ts).
 */
import { publicKeyFromProtobuf } from '@libp2p/crypto/keys'
import type { Ed25519PrivateKey, Ed25519PublicKey } from '@libp2p/interface'
import { peerIdFromPublicKey } from '@libp2p/peer-id'
import { parseBridgeToken } from '@footbridge/shared/bridge-token'
import { FootbridgeError, isFootbridgeError } from '@footbridge/shared/errors'
import { LOGIN_CLOCK_TOLERANCE_MS } from '@footbridge/shared/limits'
import { encodeLoginStatement, LOGIN_NONCE_BYTES, type LoginRequest, type SessionAnswer } from '@footbridge/shared/login'
import { base64urlDecode } from '@footbridge/shared/text-codec'
import type { Storage, TokenRecord } from '@footbridge/storage/ports'
import { MAX_NONCES, SESSION_LIFE_MS } from '../limits.ts'
import type { EndReason, Grant, GrantLimits, Session } from '../peers/session.ts'
import { createAccessTokens, type AccessClaims } from './access-tokens.ts'
import type { Budgets } from './budgets.ts'
import { createNonces } from './nonces.ts'
import type { RateLimits } from './rate-limits.ts'
import { hashToken, tokenState, type Tokens } from './tokens.ts'

/** Where a login came from. */
export interface LoginContext {
  /** The client's address, as far as trusted proxies vouch for it. */
  readonly ip: string
  /** Origin at which the client reached the bridge, `https://bridge.example`: the first hops are given under the same name. */
  readonly origin: string
}

export interface CurrentSession {
  readonly peer: string
  readonly expiresAt: number
  readonly serverTime: number
  readonly bytesToday: number
  readonly token: SessionAnswer['token']
}

export interface Sessions {
  /** @throws FootbridgeError with one of the codes of docs/protocol.md. */
  login(request: LoginRequest, context: LoginContext): Promise<SessionAnswer>
  /** Undefined unless the token is good and its session lives. */
  verifyAccessToken(jwt: string): Promise<AccessClaims | undefined>
  /** What this session's token allows and has used. @throws FootbridgeError `unauthorized` when it ended meanwhile. */
  current(peer: string): Promise<CurrentSession>
  logout(peer: string): void
}

/** What login needs of the registry of virtual peers. */
export interface SessionRegistry {
  admit(grant: Grant): unknown
  get(peer: string): Session | undefined
  end(peer: string, reason: EndReason): unknown
}

export interface SessionsDependencies {
  readonly storage: Storage
  readonly tokens: Pick<Tokens, 'createGuest' | 'isBeingRevoked' | 'newest'>
  readonly budgets: Pick<Budgets, 'load' | 'usedToday'>
  readonly rateLimits: RateLimits
  readonly registry: SessionRegistry
  /** The bridge's identity key. */
  readonly privateKey: Ed25519PrivateKey
  readonly addresses: {
    /** Multiaddrs for a browser that reached the bridge at this origin, best first, each ending in the bridge's /p2p/. */
    firstHops(origin: string): string[]
    /** Multiaddrs for native peers, each ending in the bridge's /p2p/. */
    relayAddresses(): string[]
  }
  readonly settings: {
    readonly name: string
    readonly version: string
    readonly guests: boolean
  }
  /** For direct connections of this peer, who reached the bridge at this origin, until this time. */
  readonly iceServers: (session: {
    readonly peer: string
    readonly origin: string
    readonly expiresAt: number
  }) => SessionAnswer['iceServers']
  /** Told of every login that was admitted. */
  readonly onAdmitted?: (context: LoginContext) => void
  readonly clock: () => number
  readonly randomBytes: (length: number) => Uint8Array
}

export function createSessions(dependencies: SessionsDependencies): Sessions {
  const { storage, tokens, budgets, rateLimits, registry, privateKey, addresses, settings, clock } = dependencies
  const bridgePeer = privateKey.publicKey.toString()
  const bridgeBytes = privateKey.publicKey.toMultihash().bytes
  const accessTokens = createAccessTokens(dependencies)
  const nonces = createNonces({ clock, capacity: MAX_NONCES })

  /** Proves that whoever sent this holds the key now. @returns the PeerID and the hash of the token shown, if one was. */
  const proveDevice = async (request: LoginRequest): Promise<{ peer: string; tokenHash: string | undefined }> => {
    const publicKey = parsePublicKey(request.publicKey)
    const nonce = base64urlDecode(request.nonce)
    const signature = base64urlDecode(request.signature)
    if (nonce?.length !== LOGIN_NONCE_BYTES || signature === undefined)
      throw new FootbridgeError('bad_request', `the nonce has ${LOGIN_NONCE_BYTES} bytes and the signature is base64url`)

    const now = clock()
    if (Math.abs(now - request.timestamp) > LOGIN_CLOCK_TOLERANCE_MS)
      throw new FootbridgeError('clock_skew', 'the clocks of device and bridge are too far apart', { details: { serverTime: now } })

    const tokenHash = request.credential.kind === 'token' ? hashOfText(request.credential.token) : undefined
    const statement = encodeLoginStatement({
      bridge: bridgeBytes,
      credential: request.credential.kind,
      tokenHash,
      timestamp: request.timestamp,
      nonce,
    })
    if (!(await isSignedBy(publicKey, statement, signature)))
      throw new FootbridgeError('signature_invalid', 'the signature does not fit the public key and the fields')

    const peer = peerIdFromPublicKey(publicKey).toString()
    const use = nonces.use(`${peer} ${request.nonce}`, request.timestamp + LOGIN_CLOCK_TOLERANCE_MS)
    if (use === 'replayed') throw new FootbridgeError('replayed', 'this login was used before: sign a new one')
    if (use === 'full') throw new FootbridgeError('bridge_full', 'too many logins at once', { details: { retryAfterSeconds: 60 } })
    return { peer, tokenHash: tokenHash === undefined ? undefined : Buffer.from(tokenHash).toString('hex') }
  }

  /** The good token that entitles this device. */
  const findToken = async (peer: string, tokenHash: string | undefined, request: LoginRequest, ip: string): Promise<TokenRecord> => {
    const { kind } = request.credential
    if (kind === 'token' && tokenHash !== undefined) {
      await rateLimits.loginWith(tokenHash)
      const token = await storage.tokens.findByHash(tokenHash)
      if (token === undefined) throw new FootbridgeError('token_unknown', 'this bridge does not know the token')
      return refuseUnusable(token)
    }
    const device = await storage.devices.get(peer)
    const enrolledWith = device === undefined ? undefined : await storage.tokens.get(device.tokenId)
    if (kind === 'device') {
      if (enrolledWith === undefined) throw new FootbridgeError('device_unknown', 'this device is not enrolled here: a token is needed')
      await rateLimits.loginWith(enrolledWith.hash)
      return refuseUnusable(enrolledWith)
    }
    if (!settings.guests) throw new FootbridgeError('guests_off', 'this bridge lets nobody in without a token')
    // A guest who comes again keeps their token, and a device with a better one is not moved down to a guest's.
    if (enrolledWith !== undefined && tokenState(enrolledWith, clock()) === 'active') return enrolledWith
    await rateLimits.guestFrom(ip)
    return tokens.createGuest()
  }

  const refuseUnusable = (token: TokenRecord): TokenRecord => {
    const state = tokenState(token, clock())
    if (state === 'revoked' || tokens.isBeingRevoked(token.id))
      throw new FootbridgeError('token_revoked', 'the operator has revoked the token')
    if (state === 'expired') throw new FootbridgeError('token_expired', 'the token has expired')
    return token
  }

  const enrol = async (peer: string, token: TokenRecord, givenName: string | undefined): Promise<string> => {
    const present = await storage.devices.get(peer)
    const name = givenName?.trim() ?? present?.name ?? ''
    const now = clock()
    const result = await storage.devices.enrol({ peer, tokenId: token.id, name, enrolledAt: now, lastSeenAt: now }, token.maxDevices)
    if (result === 'full')
      throw new FootbridgeError('token_devices_full', `the token has enrolled ${token.maxDevices} devices, as many as it may`)
    return name
  }

  const admitDevice = async (request: LoginRequest, { ip, origin }: LoginContext): Promise<SessionAnswer> => {
    const { peer, tokenHash } = await proveDevice(request)
    const token = await findToken(peer, tokenHash, request, ip)
    const name = await enrol(peer, token, request.name)
    await budgets.load(token.id)

    const serverTime = clock()
    const expiresAt = Math.min(serverTime + SESSION_LIFE_MS, token.expiresAt ?? Number.POSITIVE_INFINITY)
    const accessToken = await accessTokens.sign({ peer, tokenId: token.id, expiresAt })

    refuseUnusable(token)
    const { id: tokenId, label: tokenLabel, guest } = token
    registry.admit({
      peer,
      tokenId,
      tokenLabel,
      guest,
      name,
      expiresAt,
      visibility: request.visibility,
      ...grantLimits(tokens.newest(token)),
    })
    dependencies.onAdmitted?.({ ip, origin })
    return {
      peer,
      bridge: { peer: bridgePeer, name: settings.name, version: settings.version },
      accessToken,
      expiresAt,
      serverTime,
      firstHops: addresses.firstHops(origin),
      relayAddresses: addresses.relayAddresses(),
      iceServers: dependencies.iceServers({ peer, origin, expiresAt }),
      token: describeToken(token),
    }
  }

  return {
    async login(request, context) {
      await rateLimits.loginFrom(context.ip)
      try {
        return await admitDevice(request, context)
      } catch (error) {
        if (isFootbridgeError(error) && error.code !== 'rate_limited') await rateLimits.loginRefused(context.ip)
        throw error
      }
    },

    async verifyAccessToken(jwt) {
      const claims = await accessTokens.verify(jwt)
      if (claims === undefined) return undefined
      const session = registry.get(claims.sub)
      return session !== undefined && session.state !== 'ended' && session.grant.tokenId === claims.token ? claims : undefined
    },

    async current(peer) {
      const session = registry.get(peer)
      const token = session === undefined ? undefined : await storage.tokens.get(session.grant.tokenId)
      if (session === undefined || session.state === 'ended' || token === undefined)
        throw new FootbridgeError('unauthorized', 'the session has ended: log in again')
      return {
        peer,
        expiresAt: session.grant.expiresAt,
        serverTime: clock(),
        bytesToday: await budgets.usedToday(token.id),
        token: describeToken(token),
      }
    },

    logout(peer) {
      registry.end(peer, 'logout')
    },
  }
}

/** What of a token's record its sessions need. */
export function grantLimits(token: TokenRecord): GrantLimits {
  const { maxReservations, maxCircuits, circuitsPerMinute, bytesPerDay, bytesPerSecond } = token
  return { maxReservations, maxCircuits, circuitsPerMinute, bytesPerDay, bytesPerSecond }
}

function describeToken(token: TokenRecord): SessionAnswer['token'] {
  const { id, label, guest, expiresAt, maxDevices: devices, bytesPerDay, bytesPerSecond } = token
  return { id, label, guest, limits: { expiresAt, devices, bytesPerDay, bytesPerSecond } }
}

/** A text that is no token cannot be one of ours; its writer is told what anybody with a wrong token is told. */
function hashOfText(text: string): Uint8Array {
  const token = parseBridgeToken(text)
  if (token === undefined) throw new FootbridgeError('token_unknown', 'this is not a bridge token')
  return hashToken(token)
}

/** libp2p throws for a signature of another length and for a key that is no point on the curve; both are just wrong. */
async function isSignedBy(publicKey: Ed25519PublicKey, statement: Uint8Array, signature: Uint8Array): Promise<boolean> {
  try {
    return await publicKey.verify(statement, signature)
  } catch {
    return false
  }
}

function parsePublicKey(text: string): Ed25519PublicKey {
  const bytes = base64urlDecode(text)
  if (bytes !== undefined) {
    try {
      const publicKey = publicKeyFromProtobuf(bytes)
      if (publicKey.type === 'Ed25519') return publicKey
    } catch {
      // Said below, the same for every way of being wrong.
    }
  }
  throw new FootbridgeError('bad_request', 'the public key must be an Ed25519 key in libp2p’s protobuf encoding, base64url')
}
