import { readFileSync } from 'node:fs';
import { ofThreads, statFields } from '../helpers/proc-stat.ts';

/** Linux counts CPU time in ticks of this many a second, whatever its own timer does (USER_HZ). */
const TICKS = 100;

/** s of CPU that a process has used so far, in all its threads, those that have ended too. */
export function cpuSeconds(pid: number): number {
  return ticksOf(`/proc/${pid}/stat`) / TICKS;
}

export type ThreadCpu = { readonly id: number; readonly name: string; readonly seconds: number };

/** The same for each of its threads that lives now. */
export function threadCpu(pid: number): ThreadCpu[] {
  return ofThreads(pid, (folder, id) => {
    const name = readFileSync(`${folder}/comm`, 'utf8').trim();
    return { id, name, seconds: ticksOf(`${folder}/stat`) / TICKS };
  });
}

/** Bytes of memory that a process has now, and had at most. */
export function memoryOf(pid: number): { readonly rss: number; readonly peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const read = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1024;
  return { rss: read('VmRSS'), peak: read('VmHWM') };
}

/** utime and stime. */
function ticksOf(file: string): number {
  const fields = statFields(file);
  return Number(fields[11]) + Number(fields[12]);
}
