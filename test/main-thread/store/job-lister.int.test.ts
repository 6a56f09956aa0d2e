import t from 'tap';
import { JOB_START, listStatements, type Position } from '../../../src/database/list-statements.ts';
import { openSession } from '../../../src/database/session.ts';
import { jobStatements } from '../../../src/database/statements.ts';
import type { JobRow } from '../../../src/job/job.ts';
import { type JobFilter, matches } from '../../../src/job/job-filter.ts';
import { nameJob } from '../../../src/job/named-job.ts';
import { createJobLister, type JobLister } from '../../../src/main-thread/store/job-lister.ts';
import { intervalRow, oneOffRow } from '../../helpers/rows.ts';
import { type Fixture, storeFixture } from './store-fixture.ts';

const NOW = 1_700_000_000_000;

async function fill({ mysql }: Fixture, rows: readonly JobRow[]): Promise<void> {
  const session = await openSession(mysql);
  const { upsert } = jobStatements(mysql.table);
  for (let first = 0; first < rows.length; first += 2000) {
    const group = rows.slice(first, first + 2000).map((row) => {
      const [routingKey, job] = [Buffer.from(row.routingKey), Buffer.from(row.job)].map(String);
      return { hash: nameJob({ routingKey: routingKey!, job: job! }).hash, row };
    });
    await session.run(upsert(group));
  }
  await session.close();
}

async function everyPage(lister: JobLister, filter: JobFilter, limit: number): Promise<JobRow[][]> {
  const pages: JobRow[][] = [];
  for (let after: Position | null = null; ; ) {
    const { rows, next }: { rows: readonly JobRow[]; next: Position | null } = await lister.page(
      filter,
      after,
      limit,
    );
    pages.push([...rows]);
    if (next === null) return pages;
    after = next;
  }
}

const byName = (a: JobRow, b: JobRow) =>
  Buffer.compare(a.routingKey, b.routingKey) ||
  Buffer.compare(a.job.subarray(0, JOB_START), b.job.subarray(0, JOB_START)) ||
  a.id - b.id;

const plain = (rows: readonly JobRow[]) =>
  rows.map(({ id, routingKey, job }) => [id, String(Buffer.from(routingKey)), String(Buffer.from(job))]);

function someRows(): JobRow[] {
  const long = 'x'.repeat(JOB_START);
  const rows: JobRow[] = [];
  for (const [at, key] of ['a', 'a.b', 'a.c', 'ä', 'A', '\u{10ffff}'].entries()) {
    for (let job = 0; job < 40; job++) {
      const id = rows.length + 1;
      const name = job % 4 === 0 ? `${long}${job}` : `${(job * 7) % 40}-${at}`;
      const options = {
        ...{ key, name, enabled: job % 3 !== 0, note: '"hot"' },
        ...(job % 5 === 0 ? { tags: ['hot', 'q"\\%_'] } : {}),
      };
      rows.push(job % 10 === 1 ? oneOffRow(id, NOW, options) : intervalRow(id, 60_000, NOW, options));
    }
  }
  return rows;
}

t.test('pages under every filter are what a filter of all rows finds', async (t) => {
  const fixture = await storeFixture(t);
  const all = someRows();
  await fill(fixture, all);
  const lister = createJobLister(fixture.mysql);
  t.teardown(() => lister.close());
  const filters: JobFilter[] = [
    {},
    { routingKey: 'a' },
    { routingKey: 'A' },
    { routingKeyPrefix: 'a' },
    { routingKeyPrefix: '\u{10ffff}' },
    { jobPrefix: '1' },
    { routingKey: 'a.b', jobPrefix: '2' },
    { routingKeyPrefix: 'a.', jobPrefix: '2' },
    { jobPrefix: `${'x'.repeat(JOB_START)}2` },
    { routingKey: 'ä', jobPrefix: `${'x'.repeat(JOB_START)}2` },
    { tag: 'hot' },
    { tag: 'q"\\%_' },
    { tag: 'ho' },
    { kind: 'one_off' },
    { kind: 'cron' },
    { enabled: false },
    { routingKey: 'a.c', enabled: true, kind: 'interval', tag: 'hot' },
  ];
  for (const filter of filters) {
    const wanted = all.filter((row) => matches(filter, row)).sort(byName);
    for (const limit of [7, 1000]) {
      const pages = await everyPage(lister, filter, limit);
      t.strictSame(plain(pages.flat()), plain(wanted), `${JSON.stringify(filter)} by ${limit}`);
      t.ok(
        pages.every(({ length }) => length <= limit),
        'no page is too long',
      );
    }
    const walked: JobRow[] = [];
    for await (const rows of lister.pages(filter)) walked.push(...rows);
    t.strictSame(plain(walked), plain(wanted), 'a walk');
    const named: number[] = [];
    for await (const rows of lister.named(filter)) named.push(...rows.map(({ id }) => id));
    t.strictSame(
      named,
      wanted.map(({ id }) => id),
      'a walk by name',
    );
  }
  t.strictSame(
    (await lister.byIds([5, 999_999, 3])).map(({ id }) => id),
    [5, 3],
  );
});

t.test('a page of large jobs ends early, and a row that is gone meanwhile is left out', async (t) => {
  const fixture = await storeFixture(t);
  const payload = new Uint8Array(1 << 20);
  const rows = Array.from({ length: 10 }, (_, at) =>
    intervalRow(at + 1, 1000, NOW, { name: `${at}`, payload }),
  );
  for (const row of rows) await fill(fixture, [row]);
  const lister = createJobLister(fixture.mysql);
  t.teardown(() => lister.close());
  const pages = await everyPage(lister, {}, 1000);
  t.strictSame(
    pages.map(({ length }) => length),
    [3, 3, 3, 1],
  );
});

t.test('a page reads the index, in its order, and a bounded part of it', async (t) => {
  const fixture = await storeFixture(t);
  const rows = Array.from({ length: 12_000 }, (_, at) =>
    intervalRow(at + 1, 1000, NOW, { key: `key-${at % 3}`, name: `job-${at}`, enabled: at < 11_990 }),
  );
  await fill(fixture, rows);
  await fixture.query('ANALYZE TABLE jobs');
  const session = await openSession(fixture.mysql);
  t.teardown(() => session.close());
  const statements = listStatements('jobs');
  const place = (key: string, job: string): Position => {
    return { routingKey: Buffer.from(key), jobStart: Buffer.from(job), id: 1 };
  };
  const after = place('key-1', 'job-2000');
  const upTo = place('key-2', 'job-3');
  const filters: JobFilter[] = [
    {},
    { routingKey: 'key-1' },
    { routingKeyPrefix: 'key' },
    { routingKey: 'key-1', jobPrefix: 'job-2' },
    { jobPrefix: 'job-2' },
    { enabled: false },
    { tag: 'x', kind: 'cron' },
  ];
  for (const filter of filters) {
    for (const stretch of [
      { filter, after: null, upTo: null },
      { filter, after, upTo: null },
      { filter, after, upTo },
    ]) {
      const asked = [
        statements.placed(stretch, 101),
        statements.place(stretch, 5000),
        statements.named(stretch, 100),
      ];
      for (const { sql, values } of asked) {
        const plan = (await session.run({ sql: `EXPLAIN ${sql}`, values })).rows;
        // Columns: id, select_type, table, type, possible_keys, key, key_len, ref, rows, Extra.
        t.match(plan, [{ 5: 'by_name' }], sql);
        t.notMatch(String(plan[0]?.[9]), /filesort|temporary/, sql);
        const bounded = stretch.after !== null || filter.routingKey !== undefined;
        if (bounded) t.match(plan[0]?.[3], /^(range|ref)$/, sql);
      }
    }
  }

  /** Rows that the server looks at. */
  const looks = async (work: () => Promise<unknown>): Promise<number> => {
    const read = async () => {
      const { rows } = await session.run({
        sql: "SHOW SESSION STATUS WHERE Variable_name IN ('Handler_read_next', 'Handler_read_key', 'Handler_read_first')",
        values: [],
      });
      return rows.reduce((sum, [, count]) => sum + Number(count), 0);
    };
    const before = await read();
    await work();
    return (await read()) - before;
  };
  const isBetween = ({ routingKey, job }: JobRow) => {
    const name = `${Buffer.from(routingKey)}/${Buffer.from(job)}`;
    return name > 'key-1/job-2000' && name <= 'key-2/job-3';
  };
  const between = rows.filter(isBetween).length;
  for (const filter of filters) {
    const count = await looks(() => session.run(statements.placed({ filter, after, upTo }, 1_000_000)));
    t.ok(count <= between + 20, `${JSON.stringify(filter)}: ${count} of ${between}`);
  }
  const pair = createJobLister(fixture.mysql, { connect: async () => session });
  const count = await looks(() => pair.page({ enabled: false }, null, 100));
  t.ok(count > 5_000 && count < 11_000, `a page under a rare filter looks at ${count}`);
  const found = await everyPage(pair, { enabled: false }, 100);
  t.strictSame(
    found.map(({ length }) => length),
    [6, 4, 0],
  );
});
