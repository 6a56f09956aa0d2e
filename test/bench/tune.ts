import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startPrivateMysql, startPrivateRabbitmq } from '../../src/quickstart/private-servers.ts';
import { BARE, runBare } from './bare.ts';
import { freshDatabase } from './database.ts';
import { fillPolled, POLLING, runPolling } from './polling.ts';
import { freshQueue } from './queue.ts';
import { median, rounded } from './rounds.ts';
import { seedTable } from './seed-table.ts';

/**
 * Tries ways to use a baseline in turns, so that it is as good as it can be: each argument changes some of the
 * tuning that the rows use, `{}` is that itself.
 *
 *   npm run --silent build && node dist/test/bench/tune.js bare '{}' '{"cork":false}' '{"channels":4}'
 *   node dist/test/bench/tune.js polling --jobs 100000 --rounds 5 '{}' '{"sessions":8}'
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    jobs: { type: 'string', default: '100000' },
    rounds: { type: 'string', default: '3' },
  },
});
const [baseline, ...variants] = positionals;
const jobs = Number(values.jobs);
const rounds = Number(values.rounds);

const folder = mkdtempSync(join(tmpdir(), 'dalga-tune-'));
const [mysql, rabbitmq] = await Promise.all([
  startPrivateMysql({
    folder: join(folder, 'mysql'),
    args: ['--max-connections=500', '--innodb-buffer-pool-size=1G', '--innodb-log-file-size=512M'],
  }),
  startPrivateRabbitmq({ folder: join(folder, 'rabbitmq') }),
]);
try {
  const queue = await freshQueue(rabbitmq);
  const database = await freshDatabase(mysql);
  const from = Date.now();
  const messages = { jobs, intervalMs: 3_600_000, from, spreadMs: 1000, routingKey: queue.name };
  if (baseline === 'polling') await seedTable(database, messages);
  else if (baseline !== 'bare') throw new Error('the first argument is bare or polling');

  const results = variants.map(() => [] as { rate: number; cpu: number }[]);
  for (let round = 0; round < rounds; round++) {
    for (const [index, variant] of variants.entries()) {
      const changes = JSON.parse(variant);
      if (baseline === 'polling') await fillPolled(database);
      const { seconds, cpu } =
        baseline === 'bare'
          ? await runBare(rabbitmq, messages, { ...BARE, ...changes })
          : await runPolling(database, rabbitmq, from + 1000, { ...POLLING, ...changes });
      const published = await queue.count();
      if (published !== jobs) throw new Error(`${published} messages for ${jobs} jobs`);
      await queue.purge();
      results[index]!.push({ rate: jobs / seconds, cpu: (cpu / jobs) * 1e6 });
    }
  }
  for (const [index, variant] of variants.entries()) {
    const own = results[index]!;
    const rate = median(own.map((result) => result.rate));
    const cpu = median(own.map((result) => result.cpu));
    const all = own.map((result) => rounded(result.rate)).join(' ');
    console.log(
      `${rounded(rate).padStart(8)} messages/s  ${rounded(cpu).padStart(6)} us  ${variant}  (${all})`,
    );
  }
} finally {
  await Promise.all([mysql.stop(), rabbitmq.stop()]);
  rmSync(folder, { recursive: true, force: true });
}
process.exit();
