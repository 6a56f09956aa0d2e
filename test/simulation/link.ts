import type { World } from './world.ts';

/** The network between an instance and a server. While it is cut, what is sent waits, as TCP does. */
export class Link {
  readonly #world: World;
  #cut = false;
  #held: (() => void)[] = [];
  readonly #lastAt = { up: 0, down: 0 };

  constructor(world: World) {
    this.#world = world;
  }

  get isCut(): boolean {
    return this.#cut;
  }

  cut(): void {
    this.#cut = true;
  }

  mend(): void {
    this.#cut = false;
    const held = this.#held;
    this.#held = [];
    for (const deliver of held) deliver();
  }

  /** @param way to the server or from it; each keeps its order */
  send(way: 'up' | 'down', deliver: () => void): void {
    const { now } = this.#world;
    this.#lastAt[way] = Math.max(this.#lastAt[way], now + this.#world.between(0.05, 0.6));
    this.#world.after(this.#lastAt[way] - now, () => {
      if (this.#cut) this.#held.push(deliver);
      else deliver();
    });
  }
}
