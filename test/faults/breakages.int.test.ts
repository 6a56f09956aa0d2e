import { fileURLToPath } from 'node:url';
import t from 'tap';
import { BREAKAGES, type BreakageName } from '../breakages/breakages.ts';
import { openScene, type Scene } from '../helpers/scene.ts';
import type { Verdict } from '../oracle/oracle.ts';
import { killedAfterAChange, killedAfterAnAnswer, lostCommit } from './scenarios/changes.ts';
import { changedWhileItLoads, killedWhileItLoads } from './scenarios/loads.ts';
import {
  frozen,
  killedWhileTheBrokerIsAway,
  killedWithADueJob,
  killedWithExceptions,
} from './scenarios/recovery.ts';
import type { Scenario } from './scenarios/scenario.ts';
import { cutWhileUnconfirmed, deleted, ranAgain, slowClock } from './scenarios/settling.ts';

/**
 * Deliberate breakages of real processes, and what the oracle says of each: one that would not see these would prove
 * nothing. Where a race is rare the scenario holds it open; the sound process must bear that.
 */
const PROGRAM = fileURLToPath(new URL('./programs/dalga-with-breakage.js', import.meta.url));

const CASES: readonly (readonly [Scenario, Partial<Record<BreakageName, Verdict>>])[] = [
  [killedWithADueJob, { 'watermark one ms ahead': 'lost', 'watermark one batch ahead': 'lost' }],
  [
    killedAfterAChange,
    {
      'watermark not capped by unacknowledged stamps': 'lost',
      'a report taken as later than it is': 'lost',
    },
  ],
  [killedWhileItLoads, { 'the frontier moves during the load': 'lost' }],
  [changedWhileItLoads, { 'a loader without versions': 'lost', 'a loader without tombstones': 'phantom' }],
  [killedWithExceptions, { 'exceptions ignored at recovery': 'lost' }],
  [killedWhileTheBrokerIsAway, { 'exceptions forgotten while the broker is away': 'lost' }],
  [killedAfterAnAnswer, { 'answer before commit': 'lost' }],
  [lostCommit, { 'a lost COMMIT taken for a rollback': 'lost' }],
  [deleted, { 'DELETE answered before the acknowledgement': 'phantom' }],
  [cutWhileUnconfirmed, { 'settle before confirm': 'lost' }],
  [ranAgain, { 'a delete by id only': 'lost' }],
  [slowClock, { 'stamps that are plain now': 'lost', 'stamps that start anew with a new owner': 'lost' }],
  [frozen, { 'no fence': 'repeated' }],
];

/** What only the simulation shows (test/simulation/breakages.test.ts): a scene's account knows occurrences only. */
const SIMULATED: readonly BreakageName[] = [
  'a backfill ahead of what is confirmed',
  'a backfill whose progress is not written',
];

// Most of the time each waits.
t.jobs = 3;

for (const [scenario, breakages] of CASES) {
  t.test(`${scenario.name}: sound`, { timeout: 200_000, buffered: true }, async (t) => {
    const scene = await open(t, '');
    const report = await scenario(t, scene);
    t.ok(report.ok, scene.account.tell(report));
    t.ok(report.counts.expected > 0 && report.counts.messages > 0);
  });
  for (const [breakage, verdict] of Object.entries(breakages)) {
    t.test(`${scenario.name}: ${breakage}`, { timeout: 200_000, buffered: true }, async (t) => {
      const scene = await open(t, breakage);
      const report = await scenario(t, scene);
      t.ok(report.count(verdict) > 0, `${verdict}: ${scene.account.tell(report)}`);
    });
  }
}

t.test('every breakage has a scenario', async (t) => {
  const shown = CASES.flatMap(([, breakages]) => Object.keys(breakages));
  t.same([...shown, ...SIMULATED].sort(), Object.keys(BREAKAGES).sort());
});

function open(t: Parameters<typeof openScene>[0], breakage: string): Promise<Scene> {
  return openScene(t, {
    env: { DALGA_LEASE: '1s', TEST_BREAKAGE: breakage },
    program: PROGRAM,
    oracle: { lateAfter: 30_000, inFlight: 400, inFlightReplaced: 1000 },
  });
}
