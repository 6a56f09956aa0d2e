import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { seededRandom } from '../helpers/random.ts';
import { bringAbout, FAULTS } from './faults.ts';
import { SoakWorld } from './world.ts';

/**
 * A soak: two instances at a steady traffic, clients that change jobs, and a fault every 20 s at random. At the end
 * the oracle's table; the exit code is 1 when anything was lost.
 *
 *   npm run soak -- [--minutes 30] [--rate 2000] [--seed N]
 */
const { values } = parseArgs({
  options: { minutes: { type: 'string' }, rate: { type: 'string' }, seed: { type: 'string' } },
});
const MINUTES = Number(values.minutes ?? 30);
const RATE = Number(values.rate ?? 2000);
const SEED = Number(values.seed ?? Date.now() % 1_000_000);
/** ms */
const BETWEEN = 20_000;

const say = (line: string) => console.log(`${new Date().toISOString().slice(11, 19)} ${line}`);
const folder = mkdtempSync(join(tmpdir(), 'dalga-soak-'));
// Whatever ends this process ends its servers; a signal must not leave their data.
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

say(`${MINUTES} minutes at ${RATE} messages a second, seed ${SEED}`);
const world = await SoakWorld.open({ folder, rate: RATE, seed: SEED, duration: MINUTES * 60_000, say });
const random = seededRandom(SEED);
const until = Date.now() + MINUTES * 60_000;
const counts = new Map<string, number>(FAULTS.map((name) => [name, 0]));
while (Date.now() + BETWEEN < until) {
  await delay(BETWEEN);
  const fault = FAULTS[Math.floor(random() * FAULTS.length)]!;
  counts.set(fault, counts.get(fault)! + 1);
  say(`fault: ${fault}`);
  const at = Date.now();
  await bringAbout(fault, world);
  await world.recovered(at);
  say(`recovered after ${((Date.now() - at) / 1000).toFixed(1)} s; ${await world.balance()}`);
}
await delay(Math.max(until - Date.now(), 0));

const report = await world.close();
console.log([...counts].map(([fault, count]) => `${fault}: ${count}`).join(', '));
console.log(world.account.tell(report));
const wrong = report.count('lost') + report.count('unexpected') + report.count('message_id');
console.log(wrong === 0 ? 'nothing was lost' : 'SOMETHING WAS LOST');
process.exit(wrong === 0 ? 0 : 1);
