/** Light, dark, or as the system says; kept on this device. */
const KEY = 'footbridge.theme'
export const THEMES = ['system', 'light', 'dark'] as const
export type ThemeChoice = (typeof THEMES)[number]

export class Theme {
  #choice = $state<ThemeChoice>('system')
  readonly #storage: Pick<Storage, 'getItem' | 'setItem'>
  readonly #root: Pick<HTMLElement, 'dataset'>

  constructor(storage: Pick<Storage, 'getItem' | 'setItem'>, root: Pick<HTMLElement, 'dataset'>) {
    this.#storage = storage
    this.#root = root
    const kept = storage.getItem(KEY)
    this.#show(THEMES.find((theme) => theme === kept) ?? 'system')
  }

  get choice(): ThemeChoice {
    return this.#choice
  }

  choose(choice: ThemeChoice): void {
    this.#storage.setItem(KEY, choice)
    this.#show(choice)
  }

  #show(choice: ThemeChoice): void {
    this.#choice = choice
    if (choice === 'system') delete this.#root.dataset['theme']
    else this.#root.dataset['theme'] = choice
  }
}
