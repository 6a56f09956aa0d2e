import { setTimeout as delay } from 'node:timers/promises';
import { ofThreads, statFields } from './proc-stat.ts';

/**
 * Stops a process (SIGSTOP), and resolves once each of its threads stands still: the signal is taken by one of them first, and
 * on a busy machine the others go on meanwhile, long enough to answer what is sent right behind it.
 */
export async function freeze(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  const states = () => ofThreads(pid, (folder) => statFields(`${folder}/stat`)[0]);
  while (!states().every((state) => state === 'T')) await delay(1);
}
