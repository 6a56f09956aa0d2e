import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { ApiWriters } from '../helpers/api-writers.ts';
import { scrapeBalanced } from '../helpers/balance.ts';
import { type DurableState, readDurableState } from '../helpers/durable-state.ts';
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

/** Exceptions from which on the list, which holds 10,000, may be full. */
const FULL = 9000;
/** How long a process may take to catch up before it is killed all the same, ms. */
const CATCH_UP = 8000;
/** On a machine that takes longer than this, ms, the rest of the kills do not wait for anything. */
const BUDGET = 100_000;

/** One kill, and what was durable after it. */
type Kill = { readonly at: number; readonly goneAt: number; readonly durable: DurableState };

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
    let readyAt = Number.POSITIVE_INFINITY;
    if (phase > 0.2) {
      await owner.process.ready(owner.url);
      readyAt = Date.now();
      await scrapeBalanced(t, owner.url);
      if (phase > 0.4) await caughtUp(t, owner.url);
    }
    await delay(random() * 1000);
    const at = Date.now();
    const stall = account.slowestAnswer(at - 2000, at);
    await owner.process.kill();
    const goneAt = Date.now();
    const durable = await readDurableState(database);
    kills.push({ at, goneAt, durable });
    const { launchedAt } = owner;
    owner = scene.launch(port);

    // A change that is not acknowledged holds the watermark back: so do the commits of a slow machine. What does
    // not fit into the list of exceptions holds it back, too.
    const from = at - PROMISE - 3 * stall;
    // So does a backlog: a catch-up run carries the latest of the times that it stands for, and the watermark stays
    // at the earliest that is still to be taken.
    const whole = from < readyAt || durable.exceptions.size > FULL || durable.watermark < from - 1000;
    account.crashed(whole ? Math.min(launchedAt, from) : from, goneAt);
    t.comment(
      `kill ${count}: ${at - launchedAt} ms after its start, ${whole ? 'while it loaded or caught up' : 'in its daily work'}`,
    );
  }
  await owner.process.ready(owner.url);
  await writers.stop();
  account.oracle.trouble({ from: begun, to: Number.POSITIVE_INFINITY });
  const report = await closeScene(t, scene, owner);

  t.comment(account.tell(report));
  t.comment(tell(recorder.arrivals, kills));
  t.equal(report.count('lost'), 0, 'lost');
  t.ok(report.ok, `nothing else: ${account.tell(report)}`);
  t.ok(report.counts.expected > 10_000);
  t.same(unneeded(recorder.arrivals, kills), [], 'what the durable watermark calls settled is not repeated');
});

/** Resolves when little waits or is on its way, or when that takes too long. */
async function caughtUp(t: Test, url: string): Promise<void> {
  const open = (samples: Exposition['samples']) =>
    samples.get('dalga_jobs_due')! +
    samples.get('dalga_occurrences_held_back')! +
    samples.get('dalga_occurrences_in_flight')!;
  const until = Date.now() + CATCH_UP;
  while (Date.now() < until && open((await scrapeBalanced(t, url)).samples) > RATE / 4) await delay(100);
}

/** The repetitions of what was settled before the watermark that the next owner began with. */
function unneeded(arrivals: readonly Arrival[], kills: readonly Kill[]): Arrival[] {
  return repetitions(arrivals).flatMap(({ arrival }) => {
    const kill = kills.findLast(({ goneAt }) => goneAt <= arrival.arrivedAt);
    const { watermark, exceptions } = kill!.durable;
    const owed =
      arrival.scheduledAt >= watermark || exceptions.has(arrival.messageId.replace(/^[^.]*\./, ''));
    return owed ? [] : [arrival];
  });
}

/** How long before a kill those that were repeated had come first. */
function tell(arrivals: readonly Arrival[], kills: readonly Kill[]): string {
  const ages = repetitions(arrivals).map(({ before }) => {
    const kill = kills.find(({ goneAt }) => before.arrivedAt <= goneAt) ?? kills.at(-1)!;
    return Math.max(kill.at - before.arrivedAt, 0);
  });
  const within = (limit: number) => ages.filter((age) => age <= limit).length;
  return `${ages.length} repeated; confirmed within ${PROMISE} ms before the kill: ${within(PROMISE)}, within 500 ms: ${within(500)}, within 1 s: ${within(1000)}, longest ${ages.reduce((longest, age) => Math.max(longest, age), 0)} ms`;
}
