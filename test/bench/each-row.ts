import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import {
  type PrivateMysql,
  type PrivateRabbitmq,
  rabbitmqctl,
  startPrivateMysql,
  startPrivateRabbitmq,
} from '../../src/quickstart/private-servers.ts';
import type { Bench, Measured, Row } from './row.ts';

/** Each row runs, with so few jobs and so short that what it measures says nothing. */
const SCALE = 0.001;
/** Rows that run at a time: they wait more than they work. */
const AT_A_TIME = 2;
/** What a test file may take at most is 300 s: a busy machine shall be no failure. ms */
const PATIENCE = 280_000;
const ROWS = fileURLToPath(new URL('./rows', import.meta.url));

/** Measures one of so many shares of the rows: each is a test file, so that two can run side by side. */
export async function measureRows(t: Test, share: number, shares: number): Promise<void> {
  t.setTimeout(PATIENCE);
  const names = readdirSync(ROWS)
    .filter((file) => file.endsWith('.js'))
    .map((file) => file.slice(0, -'.js'.length))
    .sort()
    .filter((_, index) => index % shares === share);
  t.ok(names.length > 0, 'there are rows');
  const bench: Bench = { ...(await servers(t)), scale: SCALE, rounds: 1, say: (line) => t.comment(line) };
  const measured = new Map<string, Measured>();
  const waiting = [...names];
  const work = async (): Promise<void> => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      const { row } = (await import(join(ROWS, `${name}.js`))) as { row: Row };
      t.equal(row.name, name, 'a row stands in the file of its name');
      measured.set(name, await row.run(bench));
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));

  for (const name of names) {
    const { figures, rounds } = measured.get(name)!;
    t.ok(
      figures.some(({ goal }) => goal !== undefined),
      `${name} has a figure with a goal`,
    );
    t.equal(new Set(figures.map((figure) => figure.name)).size, figures.length, `${name} names each apart`);
    for (const figure of figures) t.ok(Number.isFinite(figure.value), `${name}: ${figure.name}`);
    t.ok(rounds.length > 0, `${name} shows its rounds`);
  }
}

/** Those that `npm test` has started, or our own. */
async function servers(t: Test): Promise<Pick<Bench, 'mysql' | 'rabbitmq'>> {
  const { DALGA_TEST_MYSQL: givenMysql, DALGA_TEST_RABBITMQ: givenRabbitmq } = process.env;
  if (givenMysql && givenRabbitmq) {
    const rabbitmq = JSON.parse(givenRabbitmq) as PrivateRabbitmq;
    rabbitmq.ctl = (...args) => rabbitmqctl(rabbitmq.ctlEnvironment, args);
    return { mysql: JSON.parse(givenMysql) as PrivateMysql, rabbitmq };
  }
  const folder = mkdtempSync(join(tmpdir(), 'dalga-bench-test-'));
  const [mysql, rabbitmq] = await Promise.all([
    startPrivateMysql({ folder: join(folder, 'mysql'), args: ['--max-connections=500'] }),
    startPrivateRabbitmq({ folder: join(folder, 'rabbitmq') }),
  ]);
  t.teardown(async () => {
    await Promise.all([mysql.stop(), rabbitmq.stop()]);
    rmSync(folder, { recursive: true, force: true });
  });
  return { mysql, rabbitmq };
}
