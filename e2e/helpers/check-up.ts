/** The check-up as a person uses it: the button, the verdict, the lines, the text. Its selectors stand here. */
import { expect, test, type Locator, type Page } from '@playwright/test'
import { words } from './words.ts'

export type CheckMark = 'check_mark_works' | 'check_mark_limited' | 'check_mark_broken' | 'check_mark_unknown'

export class CheckUpOf {
  readonly page: Page

  constructor(page: Page) {
    this.page = page
  }

  private get card(): Locator {
    return this.page.getByRole('region', { name: words('check_title') })
  }

  /** The sentences on top. */
  get verdict(): Locator {
    return this.card.getByRole('status').first()
  }

  /** Begins on the Network page; ends with the check-up. */
  async run(): Promise<void> {
    await this.card.getByRole('button', { name: words('check_start') }).click()
    await this.done()
  }

  async done(): Promise<void> {
    await expect(this.card.getByRole('button', { name: words('check_again') })).toBeVisible({ timeout: 30_000 })
  }

  /** The line of what has this title. */
  line(title: string): Locator {
    return this.card
      .getByRole('list', { name: words('check_list') })
      .getByRole('listitem')
      .filter({ has: this.page.getByText(words(title), { exact: true }) })
      .first()
  }

  /** Shows the figures behind a line. */
  async unfold(title: string): Promise<void> {
    await this.line(title).getByText(words(title), { exact: true }).click()
  }

  async expectMark(title: string, mark: CheckMark): Promise<void> {
    await expect(this.line(title)).toContainText(words(mark))
  }

  /** What "Copy as text" puts on the clipboard. */
  async text(): Promise<string> {
    const isChromium = test.info().project.name === 'chromium'
    if (isChromium) await this.page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
    // The others let no page read what was copied.
    else
      await this.page.evaluate(
        () => void (navigator.clipboard.writeText = async (text) => void Object.assign(globalThis, { copied: text })),
      )
    await this.card.getByRole('button', { name: words('check_copy') }).click()
    await expect(this.card.getByText(words('copied')).first()).toBeAttached()
    return this.page.evaluate((real) => (real ? navigator.clipboard.readText() : (Reflect.get(globalThis, 'copied') as string)), isChromium)
  }
}
