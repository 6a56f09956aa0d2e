import t, { type Test } from 'tap';
import { Oracle, type OracleOptions, type Plan, type Report, VERDICTS, type Verdict } from './oracle.ts';

const START = 1_800_000_000_000;

/** An oracle for one job that runs every 10 s, first at START + 10 s; times in ms from START. */
class Bench {
  readonly oracle: Oracle;

  constructor(options: Partial<OracleOptions> = {}) {
    this.oracle = new Oracle(options);
  }

  put(at = 0, plan: Partial<Plan> = {}, created = true): this {
    const whole = { intervalMs: 10_000, firstRun: START + at + 10_000, since: START + at, ...plan };
    const change = this.oracle.asked('job', START + at, whole);
    this.oracle.answered(change, START + at + 5, { result: 'stored', plan: whole, created });
    return this;
  }

  delete(at: number): this {
    const change = this.oracle.asked('job', START + at, null);
    this.oracle.answered(change, START + at + 5, { result: 'deleted', since: START + at });
    return this;
  }

  came(scheduledAt: number, at = scheduledAt + 2, more: { missed?: number; id?: string } = {}): this {
    const { id = `tag.1.${scheduledAt}`, missed = 0 } = more;
    this.oracle.arrived({ job: 'job', messageId: id, scheduledAt: START + scheduledAt, missed }, START + at);
    return this;
  }

  trouble(from: number, to: number): this {
    this.oracle.trouble({ from: START + from, to: START + to });
    return this;
  }

  judge(until: number): Report {
    return this.oracle.judge(START + until);
  }
}

const shown = new Set<Verdict>();

/** Exactly these findings, as `verdict` at ms from START. */
function finds(t: Test, report: Report, findings: readonly [Verdict, number][], name: string): void {
  for (const [verdict] of findings) shown.add(verdict);
  const found = report.findings.map(({ verdict, scheduledAt }) => [verdict, scheduledAt - START]);
  t.same(found, findings, `${name}\n${report}`);
}

t.test('each occurrence wants a message of its own', async (t) => {
  const report = new Bench().put().came(10_000).came(20_000).came(30_000).judge(35_000);
  finds(t, report, [], 'all came');
  t.same([report.counts.expected, report.counts.matched], [3, 3]);
  finds(t, new Bench().put().came(10_000).came(30_000).judge(35_000), [['lost', 20_000]], 'one is lost');
  finds(t, new Bench().put().came(10_000).judge(20_500), [], 'what is due just now may be on its way');
  finds(t, new Bench().put().judge(15_000), [['lost', 10_000]], 'the first one counts');
});

t.test('a one-off is owed once, and nothing stands for it', async (t) => {
  const once = { intervalMs: 0, firstRun: START + 3000 };
  finds(t, new Bench().put(0, once).came(3000).judge(60_000), [], 'it came');
  finds(t, new Bench().put(0, once).trouble(0, 60_000).judge(60_000), [['lost', 3000]], 'lost');
});

t.test('a later message stands for those that it counts, and for no more', async (t) => {
  const outage = () => new Bench({ misfireAfter: 60_000 }).put().came(10_000).trouble(15_000, 44_000);
  finds(t, outage().came(40_000, 44_500, { missed: 2 }).judge(45_500), [], 'two missed');
  finds(
    t,
    outage().came(40_000, 44_500, { missed: 1 }).judge(45_500),
    [['lost', 20_000]],
    'one is not counted',
  );
  // Its own counts too when it is late by more than the interval.
  const late = outage().trouble(15_000, 59_000).came(40_000, 59_500, { missed: 2 });
  finds(t, late.judge(50_500), [['lost', 20_000]], 'its own is one of those that it counts');
  const slow = new Bench({ misfireAfter: 60_000, delivery: 10_000 })
    .put()
    .came(10_000)
    .trouble(15_000, 59_000);
  finds(
    t,
    slow.came(40_000, 59_500, { missed: 2 }).judge(50_500),
    [],
    'unless it may have been on its way for long',
  );
  const calm = new Bench().put().came(10_000).came(40_000, 40_002, { missed: 2 }).judge(45_500);
  finds(
    t,
    calm,
    [
      ['late', 30_000],
      ['late', 20_000],
    ],
    'nothing was in the way',
  );
});

t.test('a change cancels only what could not be sent before', async (t) => {
  const change = () => new Bench().put().came(10_000).put(25_000, {}, false).came(35_000);
  finds(t, change().trouble(19_000, 30_000).judge(40_000), [], 'the broker was away');
  finds(t, change().judge(40_000), [['lost', 20_000]], 'there had been time for it');
  finds(t, new Bench().put().came(10_000).delete(20_500).judge(40_000), [], 'there had not');
  finds(t, new Bench().put().came(10_000).delete(19_000).judge(40_000), [], 'it was not due yet');
});

t.test('extras are counted, and excused where they may be', async (t) => {
  const twice = (more: (bench: Bench) => void) => {
    const bench = new Bench().put().came(10_000).came(10_000, 10_800);
    more(bench);
    return bench.judge(15_000);
  };
  finds(
    t,
    twice(() => {}),
    [['repeated', 10_000]],
    'twice',
  );
  const span = (from: number, to: number) => (bench: Bench) =>
    bench.oracle.mayRepeat({ from: START + from, to: START + to });
  const excused = twice(span(9_900, 10_150));
  finds(t, excused, [], 'just before a kill');
  t.equal(excused.counts.repeatedExcused, 1);
  finds(t, twice(span(10_050, 10_300)), [['repeated', 10_000]], 'long before it');
  const lost = new Bench().put().came(10_000).came(10_000, 10_800);
  lost.oracle.attempts.get('job')![0]!.failed = { at: START + 10_500, clock: START + 10_500 };
  finds(t, lost.judge(15_000), [], 'its confirm was lost');
  const confirmedLate = (confirmedAt: number) => {
    const bench = new Bench().put();
    for (const [sentAt, confirmed] of [
      [10_000, confirmedAt],
      [10_800, 10_805],
    ] as const) {
      const sent = { at: START + sentAt, clock: START + sentAt };
      const message = { job: 'job', messageId: 'x', scheduledAt: START + 10_000, sent };
      const attempt = bench.oracle.attempted(message);
      attempt.arrivedAt = START + sentAt + 1;
      attempt.confirmedAt = START + confirmed;
    }
    return bench.judge(15_000);
  };
  finds(t, confirmedLate(10_900), [], 'its confirm came after the second was sent');
  finds(t, confirmedLate(10_700), [['repeated', 10_000]], 'its confirm came before');
});

t.test('early and late', async (t) => {
  finds(t, new Bench().put().came(10_000, 9_990).judge(15_000), [['early', 10_000]], 'early');
  finds(
    t,
    new Bench({ clockTolerance: 20 }).put().came(10_000, 9_990).judge(15_000),
    [],
    'within the tolerance',
  );
  const ahead = new Bench().put().came(10_000, 9_990);
  ahead.oracle.ownerEnded(START + 10_000);
  finds(t, ahead.judge(15_000), [], 'it was due by the clock of an owner that has ended');
  finds(t, new Bench().put().came(10_000, 12_000).judge(15_000), [['late', 10_000]], 'late');
  finds(t, new Bench().put().came(10_000, 12_000).trouble(9_000, 11_500).judge(15_000), [], 'hindered');
});

t.test('a phantom is sent later than the end of its schedule was answered', async (t) => {
  const deleted = () => new Bench({ inFlight: 100 }).put().came(10_000).delete(19_999);
  finds(t, deleted().came(20_000, 20_050).judge(40_000), [], 'it was in flight');
  finds(t, deleted().came(20_000, 20_200).judge(40_000), [['phantom', 20_000]], 'it was not');
  const stale = deleted().came(20_000, 20_200);
  stale.oracle.staleOwner({ from: START + 20_000, to: START + 21_000 });
  finds(t, stale.judge(40_000), [], 'an owner that knew nothing of it');
  const replaced = new Bench({ inFlightReplaced: 100 }).put().put(12_000, {}, false).came(10_000);
  finds(t, replaced.came(20_000).came(22_000).judge(25_000), [['phantom', 20_000]], 'replaced');
});

t.test('what no schedule has is unexpected', async (t) => {
  finds(
    t,
    new Bench().put().came(10_000).came(10_001).judge(15_000),
    [['unexpected', 10_001]],
    'off its phase',
  );
  finds(t, new Bench().came(10_000).judge(15_000), [['unexpected', 10_000]], 'a job that never was');
  const refused = new Bench();
  const change = refused.oracle.asked('job', START, {
    intervalMs: 10_000,
    firstRun: START + 10_000,
    since: START,
  });
  refused.oracle.answered(change, START + 10, { result: 'refused' });
  finds(t, refused.came(10_000).judge(15_000), [['unexpected', 10_000]], 'a change that was refused');
  finds(
    t,
    new Bench().put(10_500).came(10_000).judge(15_000),
    [['unexpected', 10_000]],
    'from before its since',
  );
});

t.test('a message_id names one occurrence, and an occurrence has one', async (t) => {
  const one = new Bench().put().came(10_000, 10_002, { id: 'a' }).came(20_000, 20_002, { id: 'a' });
  finds(t, one.judge(25_000), [['message_id', 20_000]], 'one id for two');
  const two = new Bench().put().came(10_000, 10_002, { id: 'a' }).came(10_000, 10_003, { id: 'b' });
  finds(t, two.judge(15_000), [['message_id', 10_000]], 'two ids for one');
  const again = new Bench().put().came(10_000, 10_002, { id: 'a' }).delete(10_001);
  again.put(10_006, { firstRun: START + 10_000, since: START + 10_000 }).came(10_000, 10_007, { id: 'b' });
  finds(t, again.judge(15_000), [], 'a job that was made anew has ids of its own');
});

t.test('where an outcome is not known, all that may be is allowed', async (t) => {
  const unknown = () => {
    const bench = new Bench().put();
    const change = bench.oracle.asked('job', START + 5000, {
      intervalMs: 10_000,
      firstRun: START + 15_000,
      since: START + 5000,
    });
    bench.oracle.answered(change, START + 6000, { ...change.answer });
    return { bench, change };
  };
  finds(t, unknown().bench.came(10_000).came(20_000).judge(22_000), [], 'it was not written');
  finds(t, unknown().bench.came(15_000).judge(22_000), [], 'it was');
  const { bench, change } = unknown();
  bench.oracle.resolved(change, { result: 'refused' });
  finds(
    t,
    bench.came(15_000).judge(19_000),
    [
      ['unexpected', 15_000],
      ['lost', 10_000],
    ],
    'it is known by now',
  );
  const written = unknown();
  const plan = { intervalMs: 10_000, firstRun: START + 15_000, since: START + 5000 };
  written.bench.oracle.resolved(written.change, { result: 'stored', plan, created: false }, START + 7000);
  finds(t, written.bench.came(15_000).came(20_000).judge(22_000), [['phantom', 20_000]], 'it was written');
});

t.test('a first run that is known to the second is learned from what comes', async (t) => {
  const about = {
    firstRun: { from: START + 10_000, to: START + 10_999 },
    since: { from: START, to: START + 9 },
  };
  finds(t, new Bench().put(0, about).came(10_123).came(20_123).judge(25_000), [], 'the phase is kept');
  finds(
    t,
    new Bench().put(0, about).came(10_123).came(20_123).came(30_124).judge(25_000),
    [['unexpected', 30_124]],
    'it is not',
  );
  finds(t, new Bench().put(0, about).judge(13_000), [['lost', 10_999]], 'nothing came');
});

t.test('changes of one job come one after another', async (t) => {
  const bench = new Bench();
  bench.oracle.asked('job', START, null);
  t.throws(() => bench.oracle.asked('job', START + 5, null), /overlap/);
});

t.test('what was missed is sent for the latest time, or not at all', async (t) => {
  const sent = (misfire: 'once' | 'skip' | 'all', late: number, staleAfter = 1000) => {
    const bench = new Bench({ staleAfter }).trouble(0, 100_000);
    const times = {
      firstAtOrAfter: (time: number) => START + Math.ceil((time - START) / 10_000) * 10_000,
      lastAtOrBefore: (time: number) => START + Math.floor((time - START) / 10_000) * 10_000,
    };
    bench.put(1, { intervalMs: 0, firstRun: START + 10_000, since: START + 1, rules: { times, misfire } });
    const at = START + 10_000 + late;
    const message = { job: 'job', messageId: 'a', scheduledAt: START + 10_000, sent: { at, clock: at } };
    bench.oracle.attempted(message).arrivedAt = at;
    return bench.judge(15_000);
  };
  finds(t, sent('once', 11_000), [], 'as the next one is due');
  finds(t, sent('once', 11_001), [['stale', 10_000]], 'later than that');
  finds(t, sent('skip', 11_001), [['stale', 10_000]], 'too old');
  finds(t, sent('all', 50_000), [], 'each runs');
  finds(t, sent('once', 50_000, Number.POSITIVE_INFINITY), [], 'not to be judged');
});

t.test('every verdict was shown above', async (t) => {
  t.same([...shown].sort(), [...VERDICTS].sort());
});
