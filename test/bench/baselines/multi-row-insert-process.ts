import mysql, { type Connection } from 'mysql2/promise';
import { nameJob } from '../../../src/job/named-job.ts';
import { answerParent } from '../child.ts';
import { jobName } from '../seed-table.ts';
import type { InsertRequest, InsertRows, InsertWay } from './multi-row-insert.ts';

const HASH_BYTES = 16;
const SESSIONS = 3;

const COLUMNS =
  'id, key_hash, routing_key, job, version, since, enabled, kind, interval_ms, interval_text, first_run, anchored';

let rows: InsertRows | null = null;
let sessions: Connection[] = [];
/** Names and hashes are there before the clock starts: whoever has rows has these. */
let names: string[] = [];
let hashes = Buffer.alloc(0);

async function prepare(given: InsertRows): Promise<number> {
  const { host, port, user, password, database } = given.mysql;
  rows = given;
  names = [];
  hashes = Buffer.alloc(given.jobs * HASH_BYTES);
  for (let id = 1; id <= given.jobs; id++) {
    const job = jobName(id);
    names.push(job);
    hashes.set(nameJob({ routingKey: given.routingKey, job }).hash, (id - 1) * HASH_BYTES);
  }
  await end();
  const login = { host, port, user, password, database };
  sessions = await Promise.all(Array.from({ length: SESSIONS }, () => mysql.createConnection(login)));
  return 0;
}

/** A statement that commits by itself. Its text is put together by hand: mysql2's own `format` takes far longer. */
function statement({ routingKey, interval }: InsertRows, first: number, last: number): string {
  const intervalMs = interval * 1000;
  const since = Date.now();
  const rest = `1,${since},1,0,${intervalMs},NULL,${since + intervalMs},0)`;
  const groups: string[] = [];
  for (let id = first; id <= last; id++) {
    const hash = hashes.toString('hex', (id - 1) * HASH_BYTES, id * HASH_BYTES);
    groups.push(`(${id},X'${hash}','${routingKey}','${names[id - 1]}',${rest}`);
  }
  return `INSERT INTO dalga (${COLUMNS}) VALUES ${groups.join(',')}`;
}

/** Each session takes the next rows as soon as it is done with its last; texts are made while the server works. */
async function insert(given: InsertRows, way: InsertWay, jobs: number): Promise<number> {
  const begun = performance.now();
  let next = 1;
  const take = (): string | null => {
    if (next > jobs) return null;
    const first = next;
    next = Math.min(first + way.rowsPerStatement, jobs + 1);
    return statement(given, first, next - 1);
  };
  const work = async (session: Connection): Promise<void> => {
    let text = take();
    while (text !== null) {
      const done = session.query(text);
      text = take();
      await done;
    }
  };
  await Promise.all(sessions.slice(0, way.sessions).map(work));
  return performance.now() - begun;
}

async function end(): Promise<void> {
  await Promise.all(sessions.map((session) => session.end()));
  sessions = [];
}

answerParent(async (request: InsertRequest): Promise<number> => {
  switch (request.type) {
    case 'prepare':
      return prepare(request.rows);
    case 'insert':
      return insert(rows!, request.way, request.jobs);
    case 'truncate':
      await sessions[0]!.query('TRUNCATE TABLE dalga');
      return 0;
  }
});
