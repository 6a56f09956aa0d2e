import t, { type Test } from 'tap';
import { monotonicNow, SlewedClock } from '../../src/clock.ts';
import { loadConfig } from '../../src/config.ts';
import { createDalga } from '../../src/dalga.ts';
import { openSession, type SqlSession } from '../../src/database/session.ts';
import { createLog } from '../../src/log.ts';
import type { Received } from '../helpers/consumer.ts';
import { environment } from '../helpers/dalga-process.ts';
import { testMysql, testRabbitmq } from '../helpers/servers.ts';
import { scheduledAt } from '../helpers/service.ts';

const HOUR = 3_600_000;
const YEAR = 365 * 24 * HOUR;
const LEASE = 1000;

// They mostly wait for seconds to pass, each on its own table.
t.jobs = 3;

/** A Dalga in this process, whose wall clock and MySQL's clock the test sets, and a job that runs each second. */
async function setUp(t: Test) {
  const mysql = await testMysql();
  const broker = await testRabbitmq();
  const shift = { wall: 0, server: 0 };
  let onLook = () => {};
  const env = environment({ mysql: { ...mysql, table: 'dalga' }, rabbitmq: broker }, 0);
  const { config } = loadConfig({ env: { ...env, DALGA_LEASE: `${LEASE}ms` }, args: [] });
  const lines: string[] = [];
  const log = createLog('main', false);
  const tell = (_fields: unknown, text?: string) => {
    lines.push(text ?? String(_fields));
    for (const [wanted, found] of waiting) if (lines.at(-1)!.includes(wanted)) found();
  };
  const waiting = new Map<string, () => void>();
  for (const level of ['info', 'warn', 'error'] as const) Object.assign(log, { [level]: tell });
  const dalga = createDalga(config, {
    log,
    clock: new SlewedClock(() => Date.now() + shift.wall, monotonicNow),
    connect: async () => shifted(await openSession(config.mysql, { lease: LEASE }), shift, () => onLook()),
  });
  const consumer = await broker.consume(broker.name('clock'));
  t.teardown(async () => {
    await dalga.close();
    await broker.close();
    await mysql.close();
  });
  await dalga.start();
  const url = `http://${dalga.address}`;
  while ((await fetch(`${url}/readyz`)).status !== 200) await consumed();
  const put = async (job: string, query: string) => {
    const answer = await fetch(`${url}/jobs/${consumer.queue}/${job}?${query}`, { method: 'PUT' });
    t.equal(answer.status, 201, await answer.text());
  };
  return {
    ...{ shift, consumer, put, lines },
    /** So many renewals of the lease that read MySQL's clock, three in a lease. */
    looks: (count: number) => {
      let left = count;
      return new Promise<void>((resolve) => {
        onLook = () => {
          if (--left === 0) resolve();
        };
      });
    },
    /** The next line of the log that holds this text. */
    logged: (text: string) => new Promise<void>((found) => waiting.set(text, found)),
  };
}

/** A session whose server's clock is off. */
function shifted(session: SqlSession, shift: { server: number }, onLook: () => void): SqlSession {
  return {
    get connectionId() {
      return session.connectionId;
    },
    get usable() {
      return session.usable;
    },
    runAll: (statements, deadline) => session.runAll(statements, deadline),
    async run(statement, deadline) {
      const result = await session.run(statement, deadline);
      if (!statement.sql.includes('UNIX_TIMESTAMP')) return result;
      onLook();
      // The clock is the last column wherever it is read.
      const rows = result.rows.map((row) => [...row.slice(0, -1), Number(row.at(-1)) + shift.server]);
      return { ...result, rows };
    },
    destroy: () => session.destroy(),
    close: () => session.close(),
  };
}

const consumed = () => new Promise((resolve) => setImmediate(resolve));

/** Each a second after the one before, none twice. */
function gaps(messages: readonly Received[]): number[] {
  return messages.slice(1).map((message, index) => scheduledAt(message) - scheduledAt(messages[index]!));
}

t.test('a step that MySQL does not show is refused, and nothing changes', async (t) => {
  const { shift, consumer, put, logged, lines } = await setUp(t);
  await put('each-second', 'interval=1');
  await consumer.take(1);
  for (const step of [HOUR, -24 * HOUR, 170 * YEAR, -56 * YEAR]) {
    const told = logged('it is not followed');
    shift.wall = step;
    await told;
    const before = consumer.messages.length;
    await consumer.take(2);
    const back = logged('the wall clock is back');
    shift.wall = 0;
    await back;
    await consumer.take(1);
    t.same([...new Set(gaps(consumer.messages.slice(before - 1)))], [1000], `${step} ms`);
  }
  t.equal(lines.filter((line) => line.includes('it is not followed')).length, 4, 'each is told once');
  t.same([...new Set(gaps(consumer.messages))], [1000], 'nothing twice, nothing skipped');
});

t.test('a drift is worked off', async (t) => {
  const { shift, consumer, put } = await setUp(t);
  await put('each-second', 'interval=1');
  for (const drift of [3000, -3000]) {
    shift.wall += drift;
    await consumer.take(4);
  }
  t.same([...new Set(gaps(consumer.messages))], [1000]);
});

t.test(
  'a step that MySQL shows too is followed: back, jobs wait for their times; on, they catch up',
  async (t) => {
    const { shift, consumer, put, logged, looks } = await setUp(t);
    await put('each-second', 'interval=1');
    await consumer.take(2);

    const back = logged('it is followed');
    shift.wall = shift.server = -HOUR;
    await back;
    const atStep = consumer.messages.length;
    // It runs an hour behind now; the correction brings the job back to its phase.
    const forward = logged('it is followed');
    shift.wall = shift.server = 0;
    await forward;
    await consumer.take(consumer.messages.length === atStep ? 3 : 2);
    const around = gaps(consumer.messages);
    t.ok(
      around.every((gap) => gap > 0 && gap % 1000 === 0),
      `nothing twice, all at their phase: ${around}`,
    );
    t.same(around.slice(-1), [1000]);

    for (const step of [24 * HOUR, 170 * YEAR]) {
      const before = consumer.messages.length;
      const followed = logged('it is followed');
      shift.wall = shift.server = step;
      await followed;
      await consumer.take(4 + (consumer.messages.length - before));
      const since = consumer.messages.slice(before);
      const catchUps = since.filter(({ properties }) => properties.headers!['x-dalga-missed'] !== undefined);
      t.equal(catchUps.length, 1, `one catch-up run for ${step} ms`);
      const jump = scheduledAt(catchUps[0]!) - scheduledAt(consumer.messages[before - 1]!);
      t.ok(jump % 1000 === 0, 'at its phase');
      t.same(gaps(since).slice(-2), [1000, 1000]);
    }

    const again = logged('it is followed');
    shift.wall = shift.server = 0;
    await again;
    const settled = consumer.messages.length;
    await looks(9);
    t.equal(
      consumer.messages.length,
      settled,
      'after a step back all wait for their times: nothing runs twice',
    );
  },
);
