import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startPrivateMysql, startPrivateRabbitmq } from '../../src/quickstart/private-servers.ts';
import { inOrder } from './order.ts';
import { currentCommit, describeMachine, type Result, toResult, writeResults } from './results.ts';
import type { Bench, Row } from './row.ts';
import { tableOf } from './verdict.ts';

/**
 * Measures what the README's table of figures says, on private servers.
 *
 *   npm run bench                                  all rows
 *   npm run bench -- dispatch start                some
 *   npm run bench -- --rounds 5                    each side of a comparison five times
 *   npm run bench -- --scale 0.02 --out /tmp/trial a trial: its figures count for nothing
 */
const ROWS = fileURLToPath(new URL('./rows', import.meta.url));
/** Compiled, this file is in dist/test/bench. */
const RESULTS = fileURLToPath(new URL('../../../test/bench/results', import.meta.url));

/** Sessions enough for the baselines, memory and log enough for the tables, as a server in production has. */
const MYSQL_ARGS = ['--max-connections=500', '--innodb-buffer-pool-size=1G', '--innodb-log-file-size=512M'];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    scale: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '3' },
    out: { type: 'string' },
  },
});
const say = (line: string) => process.stderr.write(`${line}\n`);
const scale = positive('scale', values.scale);
const rounds = Math.ceil(positive('rounds', values.rounds));
const out = values.out ?? (scale < 1 ? null : RESULTS);

const known = inOrder(
  readdirSync(ROWS)
    .filter((file) => file.endsWith('.js'))
    .map((file) => file.slice(0, -'.js'.length)),
);
const unknown = positionals.filter((name) => !known.includes(name));
if (unknown.length > 0) usage(`there is no row ${unknown.join(', ')}; the rows are ${known.join(', ')}`);
const wanted = positionals.length === 0 ? known : known.filter((name) => positionals.includes(name));

const folder = mkdtempSync(join(tmpdir(), 'dalga-bench-'));
const stopped = new Promise<never>((_resolve, reject) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => reject(new Error(`ended by ${signal}`)));
  }
});
// Nobody may be waiting for it.
stopped.catch(() => {});
let stopServers = async (): Promise<void> => {};
let exitCode = 1;
try {
  exitCode = await Promise.race([main(), stopped]);
} catch (error) {
  say(error instanceof Error ? (error.stack ?? error.message) : String(error));
} finally {
  await stopServers();
  rmSync(folder, { recursive: true, force: true });
}
process.exit(exitCode);

/** Resolves to the exit code: a figure that misses its goal is no failure, a row that cannot be measured is one. */
async function main(): Promise<number> {
  say('starting a MySQL and a RabbitMQ');
  const [mysql, rabbitmq] = await Promise.all([
    startPrivateMysql({ folder: join(folder, 'mysql'), args: MYSQL_ARGS }),
    startPrivateRabbitmq({ folder: join(folder, 'rabbitmq') }),
  ]);
  stopServers = async () => {
    await Promise.all([mysql.stop(), rabbitmq.stop()]);
  };
  const bench: Bench = { mysql, rabbitmq, scale, rounds, say: (line) => say(`  ${line}`) };
  const machine = await describeMachine(bench);
  const commit = await currentCommit();
  say(`${machine.cpu}, ${machine.cores} cores, ${machine.memory} GiB, Node.js ${machine.node},`);
  say(`MySQL ${machine.mysql}, RabbitMQ ${machine.rabbitmq}; commit ${commit ?? 'unknown'}`);
  if (scale !== 1) say(`a trial at ${scale} of the sizes: its figures count for nothing`);
  const results: Result[] = [];
  const failed: string[] = [];
  for (const name of wanted) {
    const { row } = (await import(`./rows/${name}.js`)) as { row: Row };
    say(`\n${row.name}: ${row.how}`);
    const begun = performance.now();
    try {
      const measured = await row.run(bench);
      const about = { date: new Date().toISOString(), commit, machine, scale };
      const result = toResult(row, measured, about);
      results.push(result);
      say(`  ${Math.round((performance.now() - begun) / 1000)} s`);
      // At once, so that hours of measuring are not lost with the next row.
      if (out !== null) writeResults(resolve(out), [result]);
    } catch (error) {
      failed.push(name);
      say(`  failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    }
  }
  const shown = results.map(({ row, figures }) => {
    // A trial reaches and misses nothing.
    return {
      name: row,
      figures: scale < 1 ? figures.map((figure) => ({ ...figure, goal: undefined })) : figures,
    };
  });
  console.log(`\n${tableOf(shown)}`);
  if (out !== null) say(`\nresults and pictures: ${resolve(out)}`);
  if (failed.length > 0) say(`failed: ${failed.join(', ')}`);
  return failed.length > 0 ? 1 : 0;
}

function positive(name: string, value: string): number {
  const number = Number(value);
  if (!(number > 0)) usage(`--${name} wants a number above 0`);
  return number;
}

function usage(problem: string): never {
  say(`bench: ${problem}`);
  process.exit(2);
}
