import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
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
const AT_A_TIME = 3;
const ROWS = fileURLToPath(new URL('./rows', import.meta.url));

/** Those that `npm test` has started, or our own. */
async function servers(): Promise<Pick<Bench, 'mysql' | 'rabbitmq'>> {
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

t.test('each row is measured', { timeout: 280_000 }, async (t) => {
  const names = readdirSync(ROWS)
    .filter((file) => file.endsWith('.js'))
    .map((file) => file.slice(0, -'.js'.length));
  const bench: Bench = { ...(await servers()), scale: SCALE, rounds: 1, say: (line) => t.comment(line) };
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
});
