import type { Test } from 'tap';
import { scrapeBalanced } from '../../helpers/balance.ts';
import { type Answer, JOBS, type World } from './world.ts';

export type Outage = {
  /** What names the fault, and the jobs that are asked for meanwhile. */
  readonly name: string;
  readonly strike: () => unknown;
  readonly heal: () => unknown;
  /** What the log says of it, once each. */
  readonly away?: RegExp;
  readonly back?: RegExp;
  /** Whether GET is answered all the while. */
  readonly readable?: boolean;
};

/** The lease of these tests, ms. */
const LEASE = 1_000;

/** No refusal may take longer, ms: far above what is aimed at, since the machine may be busy. */
const LONGEST_REFUSAL = 15_000;

/**
 * MySQL goes away and comes back, and what a user sees of it: due jobs go on being published from memory, well past
 * the lease; reads and writes are refused in time, and nothing of what was refused is there later; the watermark
 * waits, and goes on; the log tells each change of state once.
 */
export async function outage(
  t: Test,
  world: World,
  { name, strike, heal, away = /^MySQL is away/, back = /^MySQL is back/, readable = false }: Outage,
): Promise<void> {
  const from = world.logEnd;
  const [job = ''] = JOBS;
  await strike();
  const struckAt = Date.now();
  const asked = await Promise.all([
    world.put(`refused-${name}`),
    world.ask('POST', job, '?interval=60'),
    world.ask('DELETE', job),
    readable ? null : world.ask('GET', job),
  ]);
  for (const answer of asked) if (answer !== null) isRefused(t, answer, name);
  if (readable) t.equal((await world.ask('GET', job)).status, 200);
  await world.ranAfter(struckAt + 2 * LEASE);
  await isUnreadyAndAlive(t, world);

  await heal();
  await world.putAtLast(`after-${name}`);
  const healedAt = Date.now();
  t.equal((await world.ask('GET', job)).status, 200, 'what was there before');
  t.equal((await world.ask('GET', `refused-${name}`)).status, 404, 'what was refused');
  await world.until('the watermark goes on', async () => {
    const read = await world.scrape();
    return read('ready') === 1 && read('watermark_age_seconds') * 1000 < Date.now() - healedAt;
  });
  isToldOnce(t, world.told(from), away, back);
  await scrapeBalanced(t, world.url);
}

/** What must follow each line of the log that tells of a change of state, before it may come again. */
const CHANGES: readonly (readonly [RegExp, RegExp])[] = [
  [/^MySQL is away: /, /^MySQL is back$/],
  [/^MySQL takes no writes: /, /^MySQL takes writes again$/],
  [/^the lease has ended/, /^the lease is renewed/],
];

/**
 * The log tells of this change and of its end, and of nothing else, each change once. With a lease so short a machine
 * that is busy may lose a connection now and then, beside what the test brought about: that is told in the same way.
 */
export function isToldOnce(t: Test, told: readonly string[], away: RegExp, back: RegExp): void {
  const all = told.join(' | ');
  const first = told.findIndex((line) => away.test(line));
  t.ok(first !== -1 && told.slice(first).some((line) => back.test(line)), all);
  let rest = [...told];
  for (const [begin, end] of CHANGES) {
    const lines = rest.filter((line) => begin.test(line) || end.test(line));
    rest = rest.filter((line) => !lines.includes(line));
    t.ok(
      lines.every((line, index) => (index % 2 === 0 ? begin : end).test(line)),
      `each change is told once: ${all}`,
    );
  }
  t.same(rest, [], 'nothing else is told');
}

/** Nothing was written, and the client is told when to come again. */
export function isRefused(t: Test, answer: Answer, what: string): void {
  t.match(answer, { status: 503, code: 'database_unavailable', retryAfter: /^\d+$/ }, what);
  t.ok(answer.took < LONGEST_REFUSAL, `${what}: refused after ${Math.round(answer.took)} ms`);
}

async function isUnreadyAndAlive(t: Test, { url }: World): Promise<void> {
  const ready = await fetch(`${url}/readyz`);
  t.equal(ready.status, 503);
  t.match(await ready.json(), { ready: false, reasons: { mysql: /./ } });
  t.equal((await fetch(`${url}/healthz`)).status, 200);
  const { samples } = await scrapeBalanced(t, url);
  t.equal(samples.get('dalga_lease_state{state="owner"}'), 1);
}
