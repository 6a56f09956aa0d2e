import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** What a process holds: of what leaks, something grows. */
export type Held = {
  /** MiB, after a collection. */
  readonly heap: number;
  /** Timers, sockets, and what else keeps a process alive, by kind. */
  readonly resources: Readonly<Record<string, number>>;
};

let collectGarbage: (() => void) | undefined;

/** Collects the garbage, and counts what is left. */
export async function held(): Promise<Held> {
  if (collectGarbage === undefined) {
    setFlagsFromString('--expose-gc');
    collectGarbage = runInNewContext('gc') as () => void;
  }
  // Twice, with a turn in between: what a finaliser frees counts as freed.
  for (let round = 0; round < 2; round++) {
    await new Promise((resolve) => setImmediate(resolve));
    collectGarbage();
  }
  const resources: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) resources[kind] = (resources[kind] ?? 0) + 1;
  return { heap: process.memoryUsage().heapUsed / 2 ** 20, resources };
}
