import t from 'tap';
import { DalgaError } from '../../src/errors.ts';
import { parseIntervalJson, parseIntervalText } from '../../src/job/interval.ts';
import type { Schedule } from '../../src/job/job.ts';
import { nameJob } from '../../src/job/named-job.ts';
import { checkPut, planPost, planPut, type ScheduleRequest } from '../../src/job/plan.ts';

const NOW = 1_800_000_000_000;
const minute = { ms: 60_000, text: null };

t.test('PUT plans from the stamp', async (t) => {
  t.match(planPut(undefined, { interval: minute }, NOW), {
    kind: 'interval',
    firstRun: NOW + 60_000,
    anchored: false,
  });
  t.match(planPut(undefined, { interval: minute, immediate: true }, NOW), {
    kind: 'interval',
    firstRun: NOW,
  });
  t.match(
    planPut(undefined, { interval: minute, firstRun: 5 }, NOW),
    { firstRun: 5, anchored: true },
    'a past phase',
  );
  t.match(planPut(undefined, { oneOff: true, interval: minute }, NOW), {
    kind: 'one_off',
    firstRun: NOW + 60_000,
  });
  t.match(planPut(undefined, { oneOff: true, firstRun: NOW + 5 }, NOW), {
    kind: 'one_off',
    firstRun: NOW + 5,
  });
  t.match(
    planPut(undefined, { oneOff: true, firstRun: NOW - 5 }, NOW),
    { firstRun: NOW },
    'past: runs with the stamp',
  );
  t.match(planPut(undefined, { oneOff: true, immediate: true }, NOW), { kind: 'one_off', firstRun: NOW });
});

t.test('a PUT that is equal to what is stored keeps the phase', async (t) => {
  const equal: ScheduleRequest[] = [
    { interval: minute },
    { interval: minute, firstRun: NOW + 777 },
    { interval: { ms: 60_000, text: 'PT1M' } },
    { oneOff: true, interval: minute },
    { oneOff: true, firstRun: NOW + 777 },
  ];
  for (const request of equal) {
    const stored = planPut(undefined, request, NOW);
    t.equal(planPut(stored, request, NOW + 100), stored, JSON.stringify(request));
  }
  const stored = planPut(undefined, { interval: minute }, NOW);
  const different: [string, Schedule, ScheduleRequest][] = [
    ['another interval', stored, { interval: { ms: 15_000, text: null } }],
    ['a first_run where there was none', stored, { interval: minute, firstRun: NOW + 60_000 }],
    [
      'no first_run any more',
      planPut(undefined, { interval: minute, firstRun: NOW + 9 }, NOW),
      { interval: minute },
    ],
    ['immediate', stored, { interval: minute, immediate: true }],
    ['a one-off', stored, { interval: minute, oneOff: true }],
    [
      'a one-off whose time has come',
      planPut(undefined, { oneOff: true, firstRun: NOW }, NOW),
      { oneOff: true, firstRun: NOW },
    ],
  ];
  t.equal(
    planPut(stored, { interval: { ms: 60_000, text: 'PT1M' } }, NOW + 100),
    stored,
    'the same interval in other words',
  );
  const inWords = planPut(undefined, { interval: { ms: 60_000, text: 'PT60S' } }, NOW);
  t.equal(planPut(inWords, { interval: minute }, NOW + 100), inWords, 'which keeps those that are stored');
  for (const [name, before, request] of different) t.not(planPut(before, request, NOW + 100), before, name);
});

t.test('POST', async (t) => {
  const stored = planPut(undefined, { interval: minute }, NOW);
  t.equal(planPost(stored, {}, NOW + 100), stored, 'nothing named, nothing planned');
  t.match(
    planPost(stored, { interval: minute }, NOW + 100),
    { firstRun: NOW + 100 + 60_000 },
    'even the same value',
  );
  t.match(planPost(stored, { firstRun: NOW + 5 }, NOW), {
    intervalMs: 60_000,
    firstRun: NOW + 5,
    anchored: true,
  });
  t.match(planPost(stored, { immediate: true }, NOW + 7), { intervalMs: 60_000, firstRun: NOW + 7 });
  t.match(planPost(stored, { oneOff: true }, NOW), { kind: 'one_off', firstRun: NOW + 60_000 });
  const once = planPut(undefined, { oneOff: true, firstRun: NOW + 5 }, NOW);
  t.match(planPost(once, { interval: minute }, NOW), { kind: 'one_off', firstRun: NOW + 60_000 });
  t.throws(() => planPost(once, { oneOff: false }, NOW), {
    code: 'invalid_parameter',
    parameter: 'interval',
  });
});

t.test('a stored one-off refuses in a POST what a PUT of one does, unless it is to be none', async (t) => {
  const once = planPut(undefined, { oneOff: true, firstRun: NOW + 5 }, NOW);
  const refusal = (plan: () => unknown): string => {
    try {
      plan();
      return 'none';
    } catch (error) {
      return (error as Error).message;
    }
  };
  const cases: [request: ScheduleRequest, parameter: string][] = [
    [{ interval: minute, firstRun: NOW + 9 }, 'first_run'],
    [{ interval: minute, phase: 'spread' }, 'phase'],
  ];
  for (const [request, parameter] of cases) {
    const message = refusal(() => planPost(once, request, NOW));
    t.match(message, new RegExp(`^${parameter} `));
    t.equal(
      message,
      refusal(() => checkPut({ ...request, oneOff: true })),
      'in the same words',
    );
    t.match(planPost(once, { ...request, oneOff: false }, NOW), { kind: 'interval' });
  }
  t.match(planPost(once, { interval: minute }, NOW), { kind: 'one_off', firstRun: NOW + 60_000 });
  t.match(planPost(once, { firstRun: NOW + 9 }, NOW), { kind: 'one_off', firstRun: NOW + 9 });
  t.match(planPost(once, { cron: '@daily', firstRun: NOW + 9 }, NOW), { kind: 'cron', firstRun: NOW + 9 });
  const exported: ScheduleRequest = { oneOff: true, interval: minute, firstRun: NOW + 9, anchored: false };
  t.match(planPut(once, exported, NOW), { kind: 'one_off', firstRun: NOW + 9 }, 'an import of an export');
});

t.test('combinations that have no meaning', async (t) => {
  const cases: [ScheduleRequest, string][] = [
    [{}, 'interval'],
    [{ firstRun: NOW }, 'interval'],
    [{ oneOff: true }, 'first_run'],
    [{ interval: minute, immediate: true, firstRun: NOW }, 'first_run'],
    [{ oneOff: true, interval: minute, firstRun: NOW }, 'first_run'],
  ];
  for (const [request, parameter] of cases) {
    t.throws(() => checkPut(request), { code: 'invalid_parameter', parameter }, JSON.stringify(request));
  }
});

t.test('intervals', async (t) => {
  t.same(parseIntervalText('60'), { ms: 60_000, text: null });
  t.same(parseIntervalText('4294967295'), { ms: 4_294_967_295_000, text: null });
  t.same(parseIntervalText('PT1H30M'), { ms: 5_400_000, text: 'PT1H30M' });
  t.same(parseIntervalJson(1), { ms: 1000, text: null });
  t.same(parseIntervalJson('PT90S'), { ms: 90_000, text: 'PT90S' });
  for (const text of [
    '0',
    '-1',
    '1.5',
    '4294967296',
    '',
    'abc',
    '1e3',
    ' 1',
    '+1',
    'PT',
    'PT0S',
    'PT1.5S',
    '٣',
  ]) {
    t.throws(() => parseIntervalText(text), DalgaError, `text ${JSON.stringify(text)}`);
  }
  for (const value of ['60', 0, 1.5, -1, 4_294_967_296, null, true, [], {}, Number.NaN]) {
    t.throws(() => parseIntervalJson(value), DalgaError, `JSON ${JSON.stringify(value)}`);
  }
});

t.test('the hash tells all keys apart that differ in a byte', async (t) => {
  const keys = [
    ['a', 'b'],
    ['A', 'b'],
    ['ab', 'c'],
    ['a', 'bc'],
    ['a', 'b '],
    ['a', 'é'],
    ['a', 'e\u0301'],
    ['a', 'x'.repeat(300)],
    ['a', `${'x'.repeat(300)}y`],
    ['a', '\u{1f600}'],
  ] as const;
  const hashes = keys.map(([routingKey, job]) =>
    Buffer.from(nameJob({ routingKey, job }).hash).toString('hex'),
  );
  t.equal(new Set(hashes).size, keys.length);
  t.equal(hashes[0]!.length, 32);
});
