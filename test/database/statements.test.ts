import t from 'tap';
import { formatStatement } from '../../src/database/format.ts';
import { listStatements } from '../../src/database/list-statements.ts';
import {
  createMigrationTable,
  migrationStatements,
  readVersion,
  recordMigration,
} from '../../src/database/migrations.ts';
import { originalStatements, parseOriginalTable, waitForReader } from '../../src/database/original-table.ts';
import { progressStatements, spanStatements } from '../../src/database/span-statements.ts';
import { stateStatements } from '../../src/database/state-statements.ts';
import {
  estimateJobs,
  getLock,
  jobStatements,
  killConnection,
  processList,
  quoteTable,
  releaseLock,
  type Statement,
  sessionSettings,
  transaction,
} from '../../src/database/statements.ts';
import type { JobRow } from '../../src/job/job.ts';
import type { JobFilter } from '../../src/job/job-filter.ts';
import { planRun } from '../../src/job/span.ts';
import { mysqlErrors } from './mysql-grammar.ts';

/** What only one of the two servers, or only a newer one, speaks. */
const NOT_IN_BOTH = [/\bRETURNING\b/i, /\bFOR SHARE\b/i, /\bAS new\b/i, /\bLOCK IN SHARE MODE\b/i];

const hash = new Uint8Array(16);
const row: JobRow = {
  ...{ id: 1, version: 1, since: 1, enabled: true, routingKey: hash, job: hash },
  schedule: { kind: 'interval', intervalMs: 1000, intervalText: null, firstRun: 1, anchored: false },
};
const name = { id: 'a', host: 'b', address: 'c' };
const write = { batch: 1, stamp: 1, nextId: 1, lease: 1 };
const exceptions = new Uint8Array(1);

/** Every condition that a list of jobs can have. */
function everyList(table: string): Statement[] {
  const lists = listStatements(table);
  const place = { routingKey: hash, jobStart: hash, id: 1 };
  const filters: JobFilter[] = [
    {},
    { routingKey: 'a', jobPrefix: 'b', tag: 'c', kind: 'cron', enabled: true },
    { routingKeyPrefix: 'a', jobPrefix: 'b'.repeat(300) },
  ];
  return filters.flatMap((filter) => {
    const whole = { filter, after: null, upTo: null };
    const part = { filter, after: place, upTo: place };
    return [whole, part].flatMap((stretch) => [
      ...[lists.place(stretch, 5), lists.placed(stretch, 5), lists.named(stretch, 5)],
    ]);
  });
}

function everyStatement(table: string): Statement[] {
  const jobs = jobStatements(table);
  const state = stateStatements(table);
  const spans = spanStatements(table);
  const run = planRun(row, 1, 2);
  return [
    ...[...everyList(table), listStatements(table).rows([1, 2]), listStatements(table).jobs([1, 2])],
    ...Object.values(transaction),
    ...[sessionSettings(10_000), sessionSettings(null), processList, killConnection(1)],
    ...[getLock('x', 1), releaseLock('x'), estimateJobs(table)],
    ...[
      createMigrationTable(table),
      readVersion(table),
      recordMigration(table, 1),
      ...migrationStatements(table),
    ],
    ...[
      jobs.find([hash, hash]),
      jobs.load(0),
      jobs.page(0, 10),
      jobs.measure(),
      jobs.probe(),
      jobs.existing([1, 2]),
    ],
    ...[jobs.insert([{ hash, row }]), jobs.upsert([{ hash, row }])],
    ...[jobs.remove([1, 2]), jobs.removeSettled([{ id: 1, version: 1 }, row])],
    ...[state.lock(), state.look({ lock: true }), state.look({ lock: false }), state.takeOver(1, name, 1)],
    state.write(1, { ...write, checkpoint: null }),
    state.write(1, { ...write, checkpoint: { watermark: 1, exceptions: null } }),
    state.write(1, { ...write, checkpoint: { watermark: 1, exceptions } }),
    state.release(1, { batch: 1, checkpoint: null }),
    state.release(1, { batch: 1, checkpoint: { watermark: 1, exceptions } }),
    ...[state.renewTag(1, 'abcd'), state.resetWatermark(1, 5, exceptions), jobs.plannedAfter(5)],
    ...['old', 'jobs.old-table'].flatMap((original) => {
      const { columns, count, read } = originalStatements(parseOriginalTable(original));
      return [columns(), count(), read()];
    }),
    waitForReader(1),
    ...[spans.insert([run, { ...run, ahead: [1, 2] }]), spans.load(), spans.open()],
    ...[spans.list(null), spans.list(7), ...progressStatements(spans, { moved: [run, run], ended: [1, 2] })],
    ...[state.register(name), state.unregister('a'), state.expire(1), state.standbys(1)],
  ];
}

t.test('every statement is one in the grammar of MySQL 8', async (t) => {
  const statements = everyStatement('dalga');
  // With its values in their places, since it knows no placeholders; nor does it know the empty X'' that MySQL has.
  const errors = mysqlErrors(
    statements.map((statement) => formatStatement(statement).replaceAll("X''", "''")),
  );
  for (const [index, { sql }] of statements.entries()) {
    t.strictSame(errors[index], [], sql);
    for (const pattern of NOT_IN_BOTH) t.notMatch(sql, pattern);
  }
});

t.test('every statement has a value for each placeholder', async (t) => {
  for (const { sql, values } of everyStatement('dalga'))
    t.equal(sql.split('?').length - 1, values.length, sql);
});

t.test('the grammar refuses what MySQL 8 does not speak', async (t) => {
  const wrong = [
    'SELECT FROM WHERE',
    'INSERT INTO `dalga` (id) VALUES (1) RETURNING id',
    'UPDATE `dalga` SET WHERE id = 1',
    'CREATE OR REPLACE TABLE `dalga` (id INT)',
  ];
  for (const [index, errors] of mysqlErrors(wrong).entries()) t.not(errors.length, 0, wrong[index]!);
});

t.test('a table name is quoted, and anything else is refused', async (t) => {
  t.equal(quoteTable('my-jobs', '_state'), '`my-jobs_state`');
  for (const table of ['', 'a`b', 'a.b', 'a b', 'x'.repeat(51), "a'b"])
    t.throws(() => quoteTable(table), RangeError);
});

t.test('the name of a table to import is one or two parts, and anything else is refused', async (t) => {
  t.strictSame(parseOriginalTable('jobs'), { database: null, table: 'jobs' });
  t.strictSame(parseOriginalTable('old db.my jobs'), { database: 'old db', table: 'my jobs' });
  for (const name of ['', '.', 'a.', '.a', 'a.b.c', 'a`b', 'a?', 'a\0', 'x'.repeat(65)])
    t.throws(() => parseOriginalTable(name), RangeError);
});
