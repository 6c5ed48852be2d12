/**
 * The same object but for some of its members, made when they are asked for: libp2p's components are a proxy, which cannot be spread, and are not all there at first.
 * Not here: what is put in place of what (released-streams.ts, and the bridge's and the client's transport for circuits).
 */
export function replacing<Whole extends object>(
  whole: Whole,
  members: Readonly<Partial<Record<keyof Whole & string, () => unknown>>>,
): Whole {
  const makers = new Map<string | symbol, () => unknown>(Object.entries(members))
  return new Proxy(whole, { get: (target, name) => makers.get(name)?.() ?? Reflect.get(target, name) })
}
