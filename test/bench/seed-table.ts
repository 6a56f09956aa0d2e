import type { BenchDatabase } from './database.ts';
import { writeOut } from './write-out.ts';

export type SeedOptions = {
  readonly jobs: number;
  /** ms */
  readonly intervalMs: number;
  /** The earliest first run, Unix ms. */
  readonly from: number;
  /** First runs lie evenly in [from, from + spreadMs); the interval unless told, 0 for all at the same ms. */
  readonly spreadMs?: number;
  /** Bytes of each job, 50 unless told: see `jobName`. */
  readonly jobBytes?: number;
  /** Bytes of a payload of each job's own; none unless told, so that the job is the body. */
  readonly payloadBytes?: number;
  /** The queue's name, as the exchange is the default one. */
  readonly routingKey: string;
  /** Unix ms: the jobs owe nothing from before; `from` unless told. */
  readonly since?: number;
};

/** Rows in one statement, so one transaction: few enough to be bounded, many enough that its commit is no cost. */
const CHUNK = 100_000;

/** Coprime to every round number of jobs, and far from all of them: see `phaseOf`. */
const STRIDE = 7_368_787;

/** The job of this number (1, 2, ...), which is its id too. */
export function jobName(number: number, bytes = 50): string {
  return `https://feeds.example.com/${number}/`.padEnd(bytes, 'x');
}

/** When the job of this number runs first: the phases are even, and in no order. */
export function firstRunOf(
  number: number,
  { jobs, intervalMs, from, spreadMs = intervalMs }: SeedOptions,
): number {
  return from + Math.floor((((number * STRIDE) % jobs) * spreadMs) / jobs);
}

/**
 * Puts jobs 1 to `jobs` into the tables of an empty database, which nothing owns yet. The server makes the rows
 * itself, since even LOAD DATA would take the time of the wire: a million in some 20 s.
 */
export async function seedTable(database: BenchDatabase, options: SeedOptions): Promise<void> {
  const { jobs, intervalMs, from, spreadMs = intervalMs, jobBytes = 50, routingKey, since = from } = options;
  const { payloadBytes = null } = options;
  const connection = await database.connect();
  const number = '(? + d0.d + 10 * d1.d + 100 * d2.d + 1000 * d3.d + 10000 * d4.d)';
  const digits = [0, 1, 2, 3, 4].map((place) => `(${DIGITS}) AS d${place}`).join(', ');
  const insert = `
    INSERT INTO dalga (id, key_hash, routing_key, job, version, since, enabled, kind, interval_ms, interval_text,
                       first_run, anchored, payload)
    SELECT n, UNHEX(LEFT(SHA2(CONCAT(CHAR(LENGTH(?)), ?, job), 256), 32)), ?, job, 1, ?, 1, 0, ?, NULL,
           ? + FLOOR(MOD(n * ?, ?) * ? / ?), 1, RPAD(n, ?, 'x')
    FROM (SELECT n, RPAD(CONCAT('https://feeds.example.com/', n, '/'), ?, 'x') AS job
          FROM (SELECT ${number} AS n FROM ${digits}) AS numbers WHERE n <= ?) AS named
    ORDER BY n`;
  try {
    // Names are bytes: what the client's character set makes of them is the same for these.
    for (let first = 1; first <= jobs; first += CHUNK) {
      await connection.query(insert, [
        ...[routingKey, routingKey, routingKey, since, intervalMs],
        ...[from, STRIDE, jobs, spreadMs, jobs],
        ...[payloadBytes, jobBytes, first, jobs],
      ]);
    }
    await connection.query('UPDATE dalga_state SET next_id = ?, stamp = ?', [
      jobs + 1,
      Math.min(since, Date.now()),
    ]);
    // Dalga's own start asks for the estimate, and the server makes it in its own time.
    await connection.query('ANALYZE TABLE dalga');
    await writeOut(connection, jobs);
  } finally {
    await connection.end();
  }
}

/**
 * From here on no job owes anything from before this time (Unix ms), as after `-reset-watermark`: jobs that were put
 * into the table some minutes ago would be caught up with, all at once, when Dalga starts. Nothing may own the table.
 */
export async function owesNothingBefore(database: BenchDatabase, time: number): Promise<void> {
  const connection = await database.connect();
  try {
    await connection.query("UPDATE dalga_state SET watermark = ?, stamp = ?, exceptions = ''", [time, time]);
  } finally {
    await connection.end();
  }
}

const DIGITS = Array.from({ length: 10 }, (_, digit) => `SELECT ${digit}${digit === 0 ? ' AS d' : ''}`).join(
  ' UNION ALL ',
);
