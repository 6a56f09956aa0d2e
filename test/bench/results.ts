import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import mysql from 'mysql2/promise';
import { checkBroker } from '../../src/publisher-thread/startup-check.ts';
import { figuresPicture } from './figures-picture.ts';
import { latenessPicture } from './lateness-picture.ts';
import { inOrder } from './order.ts';
import type { Bench, Measured, Row } from './row.ts';

/** Where the figures come from. */
export type Machine = {
  readonly cpu: string;
  readonly cores: number;
  /** GiB */
  readonly memory: number;
  readonly node: string;
  readonly mysql: string;
  readonly rabbitmq: string;
};

/** A row's file. */
export type Result = Measured & {
  readonly row: string;
  readonly how: string;
  readonly date: string;
  /** Null outside of a checkout; with `+` when files differ from it. */
  readonly commit: string | null;
  readonly machine: Machine;
  readonly scale: number;
};

export async function describeMachine({ mysql: server, rabbitmq }: Bench): Promise<Machine> {
  const { host, port, user, password } = server;
  const connection = await mysql.createConnection({ host, port, user, password });
  const [rows] = await connection.query('SELECT VERSION() AS version');
  await connection.end();
  const broker = await checkBroker({ ...rabbitmq, exchange: '' });
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memory: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    mysql: (rows as { version: string }[])[0]!.version,
    rabbitmq: broker.version,
  };
}

export async function currentCommit(): Promise<string | null> {
  try {
    const git = async (...args: string[]) => (await promisify(execFile)('git', args)).stdout.trim();
    const changed = await git('status', '--porcelain', '--untracked-files=no');
    return `${await git('rev-parse', '--short=12', 'HEAD')}${changed === '' ? '' : '+'}`;
  } catch {
    return null;
  }
}

export function toResult(
  { name, how }: Pick<Row, 'name' | 'how'>,
  { figures, rounds, distributions }: Measured,
  about: Pick<Result, 'date' | 'commit' | 'machine' | 'scale'>,
): Result {
  const result = { row: name, how, ...about, figures, rounds };
  return distributions === undefined ? result : { ...result, distributions };
}

/** Writes a file for each row, and draws the pictures anew of all rows that have one in the folder. */
export function writeResults(folder: string, results: readonly Result[]): void {
  mkdirSync(folder, { recursive: true });
  for (const result of results) {
    writeFileSync(join(folder, `${result.row}.json`), toText(result));
  }
  const all = readResults(folder);
  writeFileSync(join(folder, 'figures.svg'), figuresPicture(all));
  const distributions = all.flatMap((result) => result.distributions ?? []);
  if (distributions.length > 0) writeFileSync(join(folder, 'lateness.svg'), latenessPicture(distributions));
}

export function readResults(folder: string): Result[] {
  const rows = readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -'.json'.length));
  return inOrder(rows).map((row) => JSON.parse(readFileSync(join(folder, `${row}.json`), 'utf8')) as Result);
}

/** As a person wants to read it, but for the long lists of numbers, which go into one line. */
function toText(result: Result): string {
  const text = JSON.stringify(result, null, 2);
  return `${text.replaceAll(/\[[\s\d.,]+\]/g, (numbers) => numbers.replaceAll(/\s+/g, ''))}\n`;
}
