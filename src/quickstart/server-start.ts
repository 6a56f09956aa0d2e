import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { OwnedProcess } from './owned-process.ts';

/** Opens a server's log anew. That of the start before is kept, since it may tell why there is another one. */
export function openLog(logFile: string): number {
  if (existsSync(logFile)) renameSync(logFile, `${logFile}.1`);
  return openSync(logFile, 'w');
}

/** How long a server that is stopping may keep its folder, s. */
const LOCK_WAIT = 30;

/**
 * Waits until no server has the folder any more, whose lock lives as long as it does.
 *
 * @throws when one goes on with it
 */
export async function waitForFolder(folder: string): Promise<void> {
  try {
    await promisify(execFile)('flock', ['--wait', String(LOCK_WAIT), join(folder, 'lock'), 'true']);
  } catch (error) {
    if ((error as { code?: unknown }).code !== 1) throw error;
    throw new Error(`a server that runs already uses ${folder}: end its quickstart first`);
  }
}

/** Something that was started here, as long as it is to run. */
export type Running = { readonly name: string; readonly exited: Promise<string>; readonly logFile: string };

/** A server's process ended when it should not have, before it was ready or later; `output` is what it wrote. */
export class StartFailed extends Error {
  readonly output: string;
  constructor(what: string, logFile: string) {
    const output = existsSync(logFile) ? readFileSync(logFile, 'utf8') : '';
    const end = output.trimEnd().split('\n').slice(-15).join('\n');
    super(`${what}; the end of ${logFile}:\n${end}`);
    this.output = output;
  }
}

/** Whether a start failed because someone else had taken one of the ports in the meantime. */
function lostPortRace(error: unknown): boolean {
  return error instanceof StartFailed && /already in use|eaddrinuse|bind on TCP/i.test(error.output);
}

/** Runs `attempt`, again (3 times at most) when a port that had been free was taken before it was bound. */
export async function retryOnPortRace<T>(attempt: () => Promise<T>): Promise<T> {
  for (let left = 3; ; left -= 1) {
    try {
      return await attempt();
    } catch (error) {
      if (left === 0 || !lostPortRace(error)) throw error;
    }
  }
}

export type ReadyOptions = {
  name: string;
  owned: OwnedProcess;
  logFile: string;
  /** Rejects while the server does not answer yet. */
  probe: () => Promise<void>;
  /** ms */
  deadline: number;
};

/**
 * Waits until `probe` succeeds. A server has no way to call us when it is ready, so it is asked again every
 * 50 ms. The end of its process, or the deadline, is a StartFailed.
 */
export async function waitUntilReady({ name, owned, logFile, probe, deadline }: ReadyOptions): Promise<void> {
  const end = performance.now() + deadline;
  let lastError: unknown;
  while (owned.running()) {
    try {
      await probe();
      return;
    } catch (error) {
      lastError = error;
    }
    if (performance.now() > end) {
      await owned.end('SIGKILL');
      throw new StartFailed(
        `${name} was not ready after ${deadline / 1000} s (${String(lastError)})`,
        logFile,
      );
    }
    await Promise.race([delay(50), owned.exited]);
  }
  throw new StartFailed(`${name} ended before it was ready`, logFile);
}

/**
 * The password kept in `file`, made at the first call. It is random, and not only for safety: a login with it
 * proves that the server at our port is ours, and not one that took the port just before.
 */
export function keptPassword(file: string): string {
  if (!existsSync(file)) writeFileSync(file, randomBytes(12).toString('hex'), { mode: 0o600 });
  return readFileSync(file, 'utf8');
}
