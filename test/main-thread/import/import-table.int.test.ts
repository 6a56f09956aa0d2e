import type { Connection } from 'mysql2/promise';
import t, { type Test } from 'tap';
import { freePorts } from '../../../src/quickstart/free-port.ts';
import { DalgaProcess, environment, type Settings, startDalga } from '../../helpers/dalga-process.ts';
import { testMysql, testRabbitmq } from '../../helpers/servers.ts';
import { scheduledAt } from '../../helpers/service.ts';

const DAY = 86_400_000;

type Row = [job: string | null, routingKey: string, interval: number | null, nextRun: string | null];

/** A database with the original's table, as an old server with a lax sql_mode made and filled it. */
async function fixture(t: Test) {
  const database = await testMysql();
  const broker = await testRabbitmq();
  const [port] = (await freePorts(1)) as [number];
  const settings: Settings = { mysql: { ...database, table: 'dalga' }, rabbitmq: broker };
  const connection = await database.connect();
  await connection.query("SET sql_mode = '', time_zone = '+03:00', NAMES utf8mb4");
  t.teardown(async () => {
    await connection.end();
    await broker.close();
    await database.close();
  });
  const select = async (sql: string) =>
    (await connection.query({ sql, rowsAsArray: true }))[0] as unknown[][];
  return {
    ...{ broker, settings, connection, port, select },
    run: (name: string) => {
      const process = new DalgaProcess(environment(settings, port), ['-import-table', name]);
      t.teardown(() => process.child.kill('SIGKILL'));
      return process;
    },
    report: (process: DalgaProcess) => process.log.map(({ msg }) => msg),
  };
}

async function createOriginal(
  connection: Connection,
  rows: readonly Row[],
  name = 'old_jobs',
): Promise<void> {
  await connection.query(
    `CREATE TABLE \`${name}\` (
      job VARCHAR(21000) NOT NULL, routing_key VARCHAR(300) NOT NULL, \`interval\` BIGINT NULL,
      next_run DATETIME NULL, location VARCHAR(20) NOT NULL DEFAULT 'UTC', PRIMARY KEY (job(255), routing_key),
      KEY idx_next_run (next_run)
    ) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8`,
  );
  for (let from = 0; from < rows.length; from += 5_000) {
    const some = rows.slice(from, from + 5_000);
    await connection.query(`INSERT INTO \`${name}\` (job, routing_key, \`interval\`, next_run) VALUES ?`, [
      some,
    ]);
  }
}

function sqlTime(time: number): string {
  return new Date(time).toISOString().slice(0, 19).replace('T', ' ');
}

t.test('rows of every kind are taken or refused, and then run at their phases', async (t) => {
  const { connection, broker, settings, port, select, run, report } = await fixture(t);
  const queue = broker.name('feeds');
  const consumer = await broker.consume(queue);
  const now = Math.floor(Date.now() / 1000) * 1000;
  const past = now - 3 * DAY - 1_234_000;
  const future = now + DAY;
  const rows: Row[] = [
    ['past', queue, 86_400, sqlTime(past)],
    ['future', queue, 3_600, sqlTime(future)],
    ['ticking', queue, 2, sqlTime(now - DAY + 1_000)],
    ['Case', queue, 3_600, sqlTime(future)],
    ['case ÄÖÜ €', queue, 3_600, sqlTime(future)],
    ['trailing  ', queue, 3_600, sqlTime(future)],
    ['lost its emoji 🎉', queue, 3_600, sqlTime(future)],
    ['once', queue, 0, sqlTime(now - DAY)],
    ['', queue, 60, sqlTime(future)],
    ['..', queue, 60, sqlTime(future)],
    ['.', queue, 60, sqlTime(future)],
    ['no time', queue, 60, null],
    ['zero time', queue, 60, '0000-00-00 00:00:00'],
    ['too often never', queue, 4_294_967_296, sqlTime(future)],
    ['long key', 'k'.repeat(256), 60, sqlTime(future)],
    ['no key', '', 60, sqlTime(future)],
    ['x'.repeat(20_001), queue, 60, sqlTime(future)],
    ...Array.from({ length: 15 }, (_, n): Row => [`never ${n}`, queue, 60, null]),
  ];
  await createOriginal(connection, rows);
  const before = await select('CHECKSUM TABLE old_jobs');

  const first = run('old_jobs');
  t.equal(await first.exited, 1, first.stderr);
  const lines = report(first);
  t.equal(lines.at(-1), 'dalga: import of old_jobs into dalga: 8 taken, 0 were there already, 24 refused');
  t.equal(lines.at(-2), 'dalga: refused: 4 more');
  t.equal(lines.length, 22);
  t.ok(lines.every((line) => line!.startsWith('dalga: ')));
  t.match(first.stderr, /dalga: 32 of 32 jobs \(100 %\), \d+ a second\n/);
  t.strictSame(await select('CHECKSUM TABLE old_jobs'), before, "the original's table is as it was");
  const [[owner, nextId, tag, epoch]] = (await select(
    'SELECT owner, next_id, tag, epoch FROM dalga_state',
  )) as [[unknown, number, string, number]];
  t.strictSame([owner, nextId, epoch], [null, 9, 1], 'the lease is released');

  const stored =
    'SELECT CAST(job AS CHAR), version, kind, interval_ms, first_run, anchored FROM dalga ORDER BY id';
  const taken = await select(stored);
  t.strictSame(new Map(taken.map(([job, ...rest]) => [job, rest])).get('past'), [1, 0, DAY, past, 1]);
  t.strictSame(new Map(taken.map(([job, ...rest]) => [job, rest])).get('once'), [1, 1, null, now - DAY, 1]);
  t.same(
    new Set(taken.map(([job]) => job)),
    new Set(['past', 'future', 'ticking', 'Case', 'case ÄÖÜ €', 'trailing  ', 'lost its emoji ?', 'once']),
  );

  const second = run(`${settings.mysql.database}.old_jobs`);
  t.equal(await second.exited, 1);
  t.match(report(second).at(-1), /: 0 taken, 8 were there already, 24 refused$/);
  t.strictSame(await select(stored), taken);
  t.strictSame(await select('SELECT tag FROM dalga_state'), [[tag]], 'nothing taken: the tag stays');

  const dalga = await startDalga(settings, port);
  t.teardown(() => dalga.process.child.kill('SIGKILL'));
  // The two that are past, the catch-up run of what ticks, and two more of it.
  const messages = await consumer.take(5, 20_000);
  const of = (job: string) => messages.filter(({ content }) => content.toString() === job);
  t.strictSame(of('once').map(scheduledAt), [now - DAY], 'a one-off that is past runs');
  t.strictSame(
    of('past').map(scheduledAt),
    [past + 3 * DAY],
    'one run, at its phase, for all that was missed',
  );
  t.equal(of('past')[0]?.properties.headers?.['x-dalga-missed'], 4);
  t.equal(of('ticking').length, 3);
  t.ok(
    of('ticking').every((message) => (scheduledAt(message) - now + DAY) % 2_000 === 1_000),
    'its phase is kept',
  );
  t.ok(messages.every(({ properties }) => properties.messageId.startsWith(`${tag}.`)));
  const get = await fetch(`${dalga.url}/jobs/${queue}/future`);
  t.match(await get.json(), { interval: 3_600, next_run: `${new Date(future).toISOString().slice(0, 19)}Z` });

  const third = run('old_jobs');
  t.equal(await third.exited, 2);
  t.match(third.stderr, new RegExp(`owned by another instance, .* at 127.0.0.1:${port}, which runs`));
  // The lease that a killed one leaves behind is nobody's: it is waited for.
  await dalga.process.kill();
  const fourth = run('old_jobs');
  t.equal(await fourth.exited, 1);
  t.match(fourth.stderr, /waiting for a sign of life/);
  t.strictSame(await select('SELECT owner FROM dalga_state'), [[null]]);
});

t.test('killed in the middle, it goes on where it was, and nothing is taken twice', async (t) => {
  const { connection, select, run, report } = await fixture(t);
  const next = sqlTime(Date.now() + DAY);
  const all = 40_000;
  await createOriginal(
    connection,
    Array.from({ length: all }, (_, n): Row => [`job ${n}`, 'bulk', 300, next]),
  );
  const first = run('old_jobs');
  // The first batch is told at once.
  await new Promise<void>((resolve) => first.child.stderr!.once('data', () => resolve()));
  await first.kill();
  const [[some]] = (await select('SELECT COUNT(*) FROM dalga')) as [[number]];
  t.ok(some > 0 && some < all, `${some} were taken`);
  const [[oldTag]] = (await select('SELECT tag FROM dalga_state')) as [[string]];

  const second = run('old_jobs');
  t.equal(await second.exited, 0, second.stderr);
  const [, taken, present] = /: (\d+) taken, (\d+) were there already, 0 refused$/.exec(
    report(second).at(-1)!,
  )!;
  t.equal(Number(taken) + Number(present), all);
  t.ok(Number(present) >= some, 'a transaction may have committed while it was killed');
  t.strictSame(await select('SELECT COUNT(*), COUNT(DISTINCT id), MIN(version), MAX(version) FROM dalga'), [
    [all, all, 1, 1],
  ]);
  t.not((await select('SELECT tag FROM dalga_state'))[0]![0], oldTag);

  // With all to do again, so that the signal comes long before the end.
  await connection.query('TRUNCATE TABLE dalga');
  const third = run('old_jobs');
  await new Promise<void>((resolve) => third.child.stderr!.once('data', () => resolve()));
  t.equal(await third.stop(), 2, 'a signal ends it cleanly');
  t.match(third.stderr, /ended before all was taken/);
  t.strictSame(await select('SELECT owner FROM dalga_state'), [[null]]);
});

t.test('a wrong table ends with 2 and nothing is created', async (t) => {
  const { connection, select, run } = await fixture(t);
  await connection.query('CREATE TABLE urls (path VARCHAR(255), body VARCHAR(255), `interval` VARCHAR(9))');
  await createOriginal(connection, [], 'dalga');
  const cases: [string, RegExp][] = [
    ['nothing', /^dalga: there is no table 'nothing'/],
    [
      'urls',
      /'urls' is none of the original .*no column job, .*interval is of type varchar, .*no column next_run/,
    ],
    ['dalga', /cannot be imported into itself: set DALGA_MYSQL_TABLE/],
    ['a`b', /must be TABLE or DATABASE\.TABLE/],
  ];
  for (const [name, message] of cases) {
    const process = run(name);
    t.equal(await process.exited, 2);
    t.match(process.stderr, message);
  }
  t.strictSame((await select('SHOW TABLES')).flat().sort(), ['dalga', 'urls']);
});
