/**
 * The web app as a person uses it: what is on the screen and what can be done, by accessible names. Every selector of the journeys stands here.
 */
import { expect, type Locator, type Page } from '@playwright/test'
import { readFile } from 'node:fs/promises'
import { pattern, words } from './words.ts'

const HOP_WORDS = ['hop_webtransport', 'hop_websocket', 'hop_tunnel'] as const
type HopWord = (typeof HOP_WORDS)[number]

export class App {
  readonly page: Page

  constructor(page: Page) {
    this.page = page
  }

  /** Opens a login link and, the first time, gives a name; ends when the peer list is on screen and the bridge is reached. */
  async arrive(link: string, name: string): Promise<void> {
    await this.page.goto(link)
    await this.giveName(name)
    await this.online()
  }

  async giveName(name: string): Promise<void> {
    await this.page.getByLabel(words('your_name')).fill(name)
    await this.page.getByRole('button', { name: words('naming_save') }).click()
  }

  get tokenField(): Locator {
    return this.page.getByLabel(words('arrive_field'))
  }

  async submitToken(text: string): Promise<void> {
    await this.tokenField.fill(text)
    await this.page.getByRole('button', { name: words('arrive_enter'), exact: true }).click()
  }

  /** The one sentence about what went wrong. */
  get trouble(): Locator {
    return this.page.getByRole('alert')
  }

  /** The banner over the pages, when something needs attention. */
  get troubles(): Locator {
    return this.page.getByRole('region', { name: words('troubles_label') })
  }

  /** Waits until this device is reachable through its bridge. */
  async online(timeout?: number): Promise<void> {
    await expect(this.hop('online')).toBeVisible(timeout === undefined ? {} : { timeout })
  }

  /** The sign of the first hop, saying `state`; `online` is any of the three that can be. */
  hop(state: HopWord | 'online' | 'hop_away' | 'hop_out' | 'hop_arriving' | 'hop_other_tab'): Locator {
    const states = state === 'online' ? HOP_WORDS : [state]
    const names = states.map((each) => pattern('hop_label', { state: words(each) }).source)
    return this.page.getByRole('link', { name: new RegExp(names.join('|')) }).first()
  }

  /** Somebody in the list, here or away. */
  row(name: string | RegExp): Locator {
    return this.page.getByRole('listitem').filter({ has: this.page.getByRole('link', { name }) })
  }

  /** The list of those who are here now. */
  here(name: string | RegExp): Locator {
    return this.page
      .locator('ul[aria-labelledby="here"]')
      .getByRole('listitem')
      .filter({ has: this.page.getByRole('link', { name }) })
  }

  /** Somebody in the list who has so many messages that were not read. */
  unread(name: string, count: number): Locator {
    return this.row(name).locator('.unread', { hasText: new RegExp(`^${count}$`) })
  }

  async open(name: string | RegExp): Promise<void> {
    await this.row(name).getByRole('link', { name }).click()
    // Of this conversation: another may have been open, and stays for a moment.
    const to = typeof name === 'string' ? words('message_to', { name }) : pattern('message_to')
    await expect(this.page.getByRole('textbox', { name: to })).toBeVisible()
  }

  get composer(): Locator {
    return this.page.getByRole('textbox', { name: pattern('message_to') })
  }

  async say(text: string): Promise<void> {
    await this.composer.fill(text)
    await this.composer.press('Enter')
  }

  /** The open conversation. */
  get log(): Locator {
    return this.page.getByRole('log')
  }

  /** Of the last message that shows one; messages of the same minute share it. */
  get lastStatus(): Locator {
    return this.log.locator('.status').last()
  }

  message(text: string): Locator {
    return this.log.getByText(text, { exact: true })
  }

  /** The badge that says how somebody is connected. */
  path(name: string, state: 'path_direct' | 'path_relayed' | 'path_none'): Locator {
    return this.page.getByRole('button', { name: pattern('path_label', { name, state: words(state) }) }).first()
  }

  async sendFile(path: string): Promise<void> {
    await this.page.getByLabel(words('attach_input')).setInputFiles(path)
  }

  /** A file's card in the open conversation. */
  file(name: string): Locator {
    return this.log.getByRole('article', { name: words('file_label', { name }) }).last()
  }

  async getFile(name: string): Promise<void> {
    await this.file(name)
      .getByRole('button', { name: words('file_get_label', { name }) })
      .click()
  }

  /** How far a file is, in percent; 100 once it is all here. */
  async progress(name: string): Promise<number> {
    const card = this.file(name)
    if (await card.getByRole('button', { name: words('file_save_label', { name }) }).isVisible()) return 100
    return Number(
      (await card
        .getByRole('progressbar')
        .getAttribute('value')
        .catch(() => '0')) ?? 0,
    )
  }

  /** Waits until the whole of a file is on this device. */
  async complete(name: string, timeout = 60_000): Promise<void> {
    await expect(this.file(name).getByRole('button', { name: words('file_save_label', { name }) })).toBeVisible({ timeout })
  }

  /** Saves the identity under a passphrase; begins on any page. @returns the content of the file. */
  async exportIdentity(passphrase: string): Promise<Buffer> {
    await this.go('settings')
    await this.page.getByRole('button', { name: words('identity_export') }).click()
    await this.page.getByLabel(words('passphrase'), { exact: true }).fill(passphrase)
    await this.page.getByLabel(words('passphrase_again')).fill(passphrase)
    const download = this.page.waitForEvent('download')
    await this.page.getByRole('button', { name: words('identity_export_do') }).click()
    return await readFile(await (await download).path())
  }

  /** Opens the sheet that takes an identity, with the file chosen; `tryPassphrase` goes on. */
  async beginImport(buffer: Buffer): Promise<void> {
    await this.go('settings')
    await this.page.getByRole('button', { name: words('identity_import') }).click()
    await this.page.getByLabel(words('identity_file')).setInputFiles({ name: 'identity.json', mimeType: 'application/json', buffer })
  }

  async tryPassphrase(passphrase: string): Promise<void> {
    await this.page.getByLabel(words('passphrase'), { exact: true }).fill(passphrase)
    await this.page.getByRole('button', { name: words('identity_import_do'), exact: true }).click()
  }

  /** The way back in for a device that the bridge knows: after a logout, an import, or another device. */
  get comeBack(): Locator {
    return this.page.getByRole('button', { name: words('arrive_again') })
  }

  /** Saves a complete file and gives the path where the browser put it. */
  async save(name: string): Promise<string> {
    const download = this.page.waitForEvent('download')
    await this.file(name)
      .getByRole('button', { name: words('file_save_label', { name }) })
      .click()
    return await (await download).path()
  }

  async go(where: 'people' | 'rooms' | 'network' | 'settings'): Promise<void> {
    await this.page
      .getByRole('navigation')
      .getByRole('link', { name: words(`nav_${where}`) })
      .click()
  }
}
