import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { ApiWriters } from '../helpers/api-writers.ts';
import { scrapeBalanced } from '../helpers/balance.ts';
import { type Crash, needless, readDurableState } from '../helpers/durable-state.ts';
import type { Exposition } from '../helpers/exposition.ts';
import { seededRandom } from '../helpers/random.ts';
import { type Arrival, repetitions } from '../helpers/recorder.ts';
import { closeScene, freePort, type Launched, openScene } from '../helpers/scene.ts';
import { steadyLoad } from '../helpers/steady-load.ts';

const KILLS = 25;
/** Messages a second. */
const RATE = 3000;
/** Requests a second that create, change, replace and delete jobs. */
const WRITES = 150;
/** What was confirmed longer before a kill must not come again, ms. */
const PROMISE = 250;

/** How long a process may take to catch up before it is killed all the same, ms. */
const CATCH_UP = 8000;
/** On a machine that takes longer than this, ms, the rest of the kills do not wait for anything. */
const BUDGET = 100_000;

/** A crash of an owner in its daily work, or while it loads or catches up. */
type Kill = Crash & { readonly daily: boolean };

t.test('kill -9, 25 times in a row, under load', { timeout: 280_000 }, async (t) => {
  const seed = Number(process.env.DALGA_TEST_SEED ?? Date.now() % 1_000_000);
  t.comment(`seed ${seed}: repeat with DALGA_TEST_SEED=${seed}`);
  const random = seededRandom(seed);
  // A loaded machine may be late: that is no failure here.
  const scene = await openScene(t, { oracle: { lateAfter: 30_000, inFlight: 5000, inFlightReplaced: 5000 } });
  const { account, recorder, database } = scene;
  const port = await freePort();
  await scene.seed(steadyLoad({ rate: RATE, from: Date.now() + 4000, duration: 90_000, seed }));

  let owner: Launched = scene.launch(port);
  await owner.process.ready(owner.url);
  const writers = new ApiWriters({
    url: () => owner.url,
    routingKey: scene.queue,
    writers: 8,
    rate: WRITES,
    seed,
    journal: account,
  });
  const kills: Kill[] = [];
  const begun = Date.now();
  for (let count = 1; count <= KILLS; count++) {
    // Some while it starts and loads, some while it catches up, most in its daily work.
    const phase = Date.now() - begun > BUDGET ? 0 : random();
    let daily = false;
    if (phase > 0.2) {
      await owner.process.ready(owner.url);
      await scrapeBalanced(t, owner.url);
      if (phase > 0.4) daily = await caughtUp(t, owner.url);
    }
    await delay(random() * 1000);
    const at = Date.now();
    await owner.process.kill();
    const goneAt = Date.now();
    kills.push({ at, goneAt, daily, durable: await readDurableState(database) });
    owner = scene.launch(port);
  }
  await owner.process.ready(owner.url);
  await writers.stop();
  account.oracle.trouble({ from: begun, to: Number.POSITIVE_INFINITY });
  // What may come again is judged below, by what was durable.
  account.oracle.mayRepeat({ from: begun, to: Number.POSITIVE_INFINITY });
  const report = await closeScene(t, scene, owner);

  t.comment(account.tell(report));
  t.equal(report.count('lost'), 0, 'lost');
  t.ok(report.ok, `nothing else: ${report}`);
  t.ok(report.counts.expected > 10_000);
  t.same(needless(recorder.arrivals, kills), [], 'what is settled durably is not repeated');
  const ages = oldestRepeated(recorder.arrivals, kills);
  for (const [index, { at, daily, durable }] of kills.entries()) {
    const work = daily ? 'in its daily work' : 'while it loaded or caught up';
    const { watermark, exceptions } = durable;
    t.comment(
      `kill ${index + 1}, ${work}: repeated what was confirmed up to ${ages[index]} ms before; the watermark was ${at - watermark} ms old, with ${exceptions.size} exceptions`,
    );
  }
  const usual = ages.filter((_, index) => kills[index]!.daily).sort((a, b) => a - b);
  t.ok(usual.length > 0);
  // Of most: a machine that stalls may keep a checkpoint.
  t.ok(usual[usual.length >> 1]! <= PROMISE, `in daily work: ${usual.join(', ')} ms`);
});

/** Resolves when little waits or is on its way, or, with false, when that takes too long. */
async function caughtUp(t: Test, url: string): Promise<boolean> {
  const open = (samples: Exposition['samples']) =>
    samples.get('dalga_jobs_due')! +
    samples.get('dalga_occurrences_held_back')! +
    samples.get('dalga_occurrences_in_flight')!;
  const until = Date.now() + CATCH_UP;
  while (open((await scrapeBalanced(t, url)).samples) > RATE / 4) {
    if (Date.now() > until) return false;
    await delay(100);
  }
  return true;
}

/** For each kill, how long before it the oldest of what was repeated after it had come, ms. */
function oldestRepeated(arrivals: readonly Arrival[], kills: readonly Kill[]): number[] {
  const ages = kills.map(() => 0);
  for (const { before } of repetitions(arrivals)) {
    const index = kills.findIndex(({ goneAt }) => before.arrivedAt <= goneAt);
    if (index !== -1) ages[index] = Math.max(ages[index]!, kills[index]!.at - before.arrivedAt);
  }
  return ages;
}
