import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Stops a process (SIGSTOP), and resolves once each of its threads stands still: the signal is taken by one of them first, and
 * on a busy machine the others go on meanwhile, long enough to answer what is sent right behind it.
 */
export async function freeze(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  while (!threadStates(pid).every((state) => state === 'T')) await delay(1);
}

/** The letter of each thread: the name before it stands in brackets, and may hold blanks and brackets itself. */
function threadStates(pid: number): string[] {
  return readdirSync(`/proc/${pid}/task`).map((thread) => {
    const text = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2, text.lastIndexOf(')') + 3);
  });
}
