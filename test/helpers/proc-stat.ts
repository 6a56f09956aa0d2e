import { readdirSync, readFileSync } from 'node:fs';

/**
 * The fields of a stat file in /proc, from the state on. The name stands in brackets before them, and may hold blanks and
 * brackets itself.
 */
export function statFields(file: string): string[] {
  const text = readFileSync(file, 'latin1');
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

/** What `read` says of the folder in /proc of each thread that lives now. */
export function ofThreads<T>(pid: number, read: (folder: string, id: number) => T): T[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((id) => {
    try {
      return [read(`/proc/${pid}/task/${id}`, Number(id))];
    } catch {
      // It has ended since the folder was read.
      return [];
    }
  });
}
