/**
 * For tests: what js-libp2p's compliance suite takes from `aegir/chai`. Aegir is js-libp2p's whole build system; its suite needs an `expect` and four
 * assertions of it. vitest.native.config.ts puts this in its place, and package.json keeps aegir itself from being installed.
 */
import { chai } from 'vitest'

const { Assertion, util } = chai
type Assertion = InstanceType<typeof Assertion>

/** Instead of chai's own where there is one. */
function define(name: string, assertion: (subject: unknown, ...args: never[]) => unknown): void {
  Object.defineProperty(Assertion.prototype, name, {
    configurable: true,
    value(this: Assertion, ...args: never[]): unknown {
      return assertion(util.flag(this, 'object'), ...args)
    },
  })
}

define('equalBytes', (subject, expected: Uint8Array) => {
  chai.assert.isTrue(Buffer.from(subject as Uint8Array).equals(Buffer.from(expected)), 'the bytes differ')
})
define('empty', (subject) => {
  chai.assert.lengthOf(subject as unknown[], 0)
})
define('rejected', (subject) => ({
  with: {
    property: async (name: string, value: unknown): Promise<void> => {
      const error: unknown = await (subject as Promise<unknown>).then(
        () => chai.assert.fail('it was not rejected'),
        (reason: unknown) => reason,
      )
      chai.assert.propertyVal(error as object, name, value)
    },
  },
}))
Assertion.addProperty('eventually', () => {})

export const expect = chai.expect
