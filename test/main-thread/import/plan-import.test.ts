import t from 'tap';
import { checkOriginalRow, describeRow } from '../../../src/main-thread/import/original-job.ts';
import { candidateOf, planImport } from '../../../src/main-thread/import/plan-import.ts';
import { keyText } from '../../../src/main-thread/store/batch-plan.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const good = { job: bytes('1'), routingKey: bytes('feeds'), interval: 60, nextRun: '2026-01-31 12:00:00' };
const NEXT_RUN = Date.UTC(2026, 0, 31, 12);
const HOUR = 3_600_000;

function candidate(name: string, intervalMs: number | null, nextRun: number) {
  return candidateOf({ key: { routingKey: 'feeds', job: name }, intervalMs, nextRun });
}

t.test('rows that are jobs', async (t) => {
  const key = { routingKey: 'feeds', job: '1' };
  t.strictSame(checkOriginalRow(good), { job: { key, intervalMs: 60_000, nextRun: NEXT_RUN } });
  t.match(checkOriginalRow({ ...good, interval: 0 }), { job: { intervalMs: null } });
  t.match(checkOriginalRow({ ...good, interval: 4_294_967_295 }), { job: { intervalMs: 4_294_967_295_000 } });
  t.match(checkOriginalRow({ ...good, job: bytes('a '.repeat(10_000)) }), { job: {} });
  t.match(checkOriginalRow({ ...good, nextRun: '2026-01-31 12:00:00.250000' }), {
    job: { nextRun: NEXT_RUN + 250 },
  });
});

t.test('rows that are refused, each with its reason', async (t) => {
  const cases: [Partial<typeof good> | Record<string, null>, RegExp][] = [
    [{ job: null }, /^job is NULL$/],
    [{ job: bytes('') }, /^job is empty$/],
    [{ job: bytes('x'.repeat(20_001)) }, /^job has 20001 bytes, more than 20000$/],
    [{ job: bytes('..') }, /^job is "\.\."/],
    [{ job: Uint8Array.of(0xed, 0xa0, 0x80) }, /^job is not UTF-8$/],
    [{ routingKey: null }, /^routing_key is NULL$/],
    [{ routingKey: bytes('') }, /^routing_key is empty$/],
    [{ routingKey: bytes('é'.repeat(128)) }, /^routing_key has 256 bytes, more than 255$/],
    [{ routingKey: bytes('.') }, /^routing_key is "\."/],
    [{ interval: null }, /^interval is NULL$/],
    [{ interval: -1 }, /^interval is -1, not 0/],
    [{ interval: 4_294_967_296 }, /^interval is 4294967296, not 0/],
    [{ nextRun: null }, /^next_run is NULL$/],
    [{ nextRun: '0000-00-00 00:00:00' }, /^next_run is the zero date$/],
    [{ nextRun: '0001-01-01 00:00:00' }, /^next_run is 0001-01-01 00:00:00, no date/],
    [{ nextRun: '2026-00-10 00:00:00' }, /^next_run is 2026-00-10/],
  ];
  for (const [change, reason] of cases) {
    const checked = checkOriginalRow({ ...good, ...change });
    t.match('refused' in checked ? checked.refused : 'taken', reason);
  }
  t.equal(describeRow({ ...good, job: null }), 'routing_key "feeds", job NULL');
  t.equal(
    describeRow({ ...good, job: bytes(`\n${'€'.repeat(100)}`) }),
    `routing_key "feeds", job "\\n${'€'.repeat(59)}"…`,
  );
});

t.test('new jobs keep next_run as their phase, and owe what was missed since', async (t) => {
  const stamp = 100 * HOUR;
  const candidates = [
    candidate('there', HOUR, stamp),
    candidate('future', HOUR, stamp + 5),
    candidate('past', HOUR, stamp - 10 * HOUR + 7),
    candidate('once', null, stamp - 3),
    candidate('past', HOUR, stamp),
  ];
  const stored = new Set([keyText(candidates[0]!.named.hash)]);
  const plan = planImport(candidates, { stored, stamp, watermark: 0, nextId: 40 });
  t.match(plan, { nextId: 43, present: 2, behind: 0 });
  const interval = { kind: 'interval', intervalMs: HOUR, intervalText: null, anchored: true };
  t.match(
    plan.upserts.map(({ row }) => row),
    [
      { id: 40, version: 1, since: stamp, schedule: { ...interval, firstRun: stamp + 5 } },
      { id: 41, since: stamp - 10 * HOUR + 7, schedule: { ...interval, firstRun: stamp - 10 * HOUR + 7 } },
      { id: 42, since: stamp - 3, schedule: { kind: 'one_off', firstRun: stamp - 3, anchored: true } },
    ],
  );
});

t.test('nothing is owed from before the durable watermark, but a one-off runs', async (t) => {
  const stamp = 100 * HOUR;
  const watermark = stamp - 2 * HOUR;
  const candidates = [
    candidate('weekly', 168 * HOUR, watermark - 1),
    candidate('hourly', HOUR, watermark - 1),
    candidate('once', null, watermark - 1),
  ];
  const plan = planImport(candidates, { stored: new Set(), stamp, watermark, nextId: 1 });
  t.equal(plan.behind, 1, 'the weekly one, which has no time since the watermark');
  t.match(
    plan.upserts.map(({ row }) => row),
    [
      { since: watermark, schedule: { firstRun: watermark - 1 } },
      { since: watermark, schedule: { firstRun: watermark - 1 } },
      { since: watermark, schedule: { kind: 'one_off', firstRun: watermark } },
    ],
  );
});
