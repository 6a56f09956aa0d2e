import t from 'tap';
import type { JobRow } from '../../../src/job/job.ts';
import { nameJob } from '../../../src/job/named-job.ts';
import { SPANS_LIMIT } from '../../../src/job/span.ts';
import {
  type BatchInput,
  keyText,
  planBatch,
  type WriteRequest,
} from '../../../src/main-thread/store/batch-plan.ts';
import { rowBytes } from '../../../src/protocol/job-memory.ts';

const named = (job: string) => nameJob({ routingKey: 'feeds', job });
const minute = { interval: { ms: 60_000, text: null } };
const put = (job: string, request = minute): WriteRequest => ({
  ...{ op: 'put', named: named(job), request, onlyCreate: false },
});

function stored(...rows: JobRow[]): BatchInput['stored'] {
  return new Map(rows.map((row) => [keyText(named(Buffer.from(row.job).toString()).hash), row]));
}

function rowOf(job: string, id: number, version = 1): JobRow {
  const schedule = {
    kind: 'one_off',
    intervalMs: null,
    intervalText: null,
    firstRun: 900,
    anchored: true,
  } as const;
  const { routingKey, job: bytes } = named(job);
  return { id, version, since: 800, enabled: true, routingKey, job: bytes, schedule };
}

const input = (change: Partial<BatchInput> = {}): BatchInput => ({
  ...{ stored: new Map(), stamp: 1000, nextId: 5, isSettled: () => false },
  ...change,
});

t.test('new rows get ids in turn, and the stamp as since', async (t) => {
  const plan = planBatch([put('a'), put('b')], input());
  t.match(
    plan.upserts.map(({ row }) => row),
    [
      { id: 5, version: 1, since: 1000, enabled: true },
      { id: 6, version: 1, since: 1000 },
    ],
  );
  t.equal(plan.nextId, 7);
  t.match(plan.answers, [{ created: true }, { created: true }]);
});

t.test('what was made and removed in the same batch leaves no trace', async (t) => {
  const plan = planBatch([put('a'), { op: 'delete', named: named('a') }], input());
  t.match(plan.answers, [{ result: 'stored', created: true }, { result: 'deleted' }]);
  t.strictSame([plan.upserts, plan.removals, plan.changes], [[], [], []]);
});

t.test('a job that is removed and comes back has a new id, and the old one is removed first', async (t) => {
  const plan = planBatch(
    [{ op: 'delete', named: named('a') }, put('a')],
    input({ stored: stored(rowOf('a', 3)) }),
  );
  t.strictSame(plan.removals, [3]);
  t.match(plan.changes, [
    { op: 'remove', id: 3 },
    { op: 'upsert', row: { id: 5, version: 1 } },
  ]);
});

t.test('a settled one-off counts as absent; only who replaces it removes its row', async (t) => {
  const settled = input({
    stored: stored(rowOf('a', 3, 4)),
    isSettled: (id, version) => id === 3 && version === 4,
  });
  const absent = planBatch(
    [
      { op: 'post', named: named('a'), request: minute },
      { op: 'delete', named: named('a') },
    ],
    settled,
  );
  t.match(absent.answers, [{ result: 'absent' }, { result: 'absent' }]);
  t.strictSame(absent.changes, []);
  const again = planBatch([put('a')], settled);
  t.match(again.answers, [{ created: true, row: { id: 5 } }]);
  t.strictSame(again.removals, [3]);
  const brief = planBatch([put('a'), { op: 'delete', named: named('a') }], settled);
  t.strictSame([brief.removals, brief.changes], [[], []], 'it is left for the lazy deletion');
});

t.test('a request that is refused changes nothing, and the others go on', async (t) => {
  const full = new Error('full');
  const plan = planBatch(
    [
      put('a'),
      put('b'),
      { op: 'put', named: named('a'), request: minute, onlyCreate: true },
      { op: 'post', named: named('c'), request: { oneOff: false } },
    ],
    input({
      stored: stored(rowOf('c', 3)),
      admit: (_more, added) => {
        if (added > 0) throw full;
      },
    }),
  );
  t.match(plan.answers, [
    { result: 'stored' },
    { result: 'refused', error: full },
    { result: 'refused', error: { code: 'precondition_failed' } },
    { result: 'refused', error: { code: 'invalid_parameter', parameter: 'interval' } },
  ]);
  t.equal(plan.upserts.length, 1);
  t.equal(plan.nextId, 6, 'the id of a refused row is not lost');
});

t.test('what a job that is there takes more than before is admitted like a new one', async (t) => {
  const asked: [number, number][] = [];
  const full = new Error('full');
  const post = (job: string, bytes: number): WriteRequest => ({
    ...{ op: 'post', named: named(job), request: { payload: new Uint8Array(bytes) } },
  });
  const plan = planBatch([post('a', 1600), post('b', 3200), post('a', 800), put('c')], {
    ...input({ stored: stored(rowOf('a', 3), rowOf('b', 4)) }),
    admit: (more, added) => {
      asked.push([more, added]);
      if (more > 3000) throw full;
    },
  });
  t.match(plan.answers, [
    { result: 'stored' },
    { result: 'refused', error: full },
    { result: 'stored' },
    { result: 'stored' },
  ]);
  t.strictSame(asked, [
    [1584, 0],
    [3184, 1584],
    [rowBytes(rowOf('c', 5)), 1584],
  ]);
  t.equal(plan.added, 1584 + rowBytes(rowOf('c', 5)));
});

t.test('a change that is meant for other jobs leaves one as it is', async (t) => {
  const row = rowOf('a', 3);
  const when = ({ enabled }: JobRow) => !enabled;
  const requests: WriteRequest[] = [
    { op: 'post', named: named('a'), request: { note: 'x' }, when },
    { op: 'delete', named: named('a'), when },
    { op: 'post', named: named('a'), request: { enabled: false } },
    { op: 'delete', named: named('a'), when },
  ];
  const plan = planBatch(requests, input({ stored: stored(row) }));
  t.match(plan.answers, [
    { result: 'absent' },
    { result: 'absent' },
    { result: 'stored' },
    { result: 'deleted' },
  ]);
  t.same(plan.removals, [3]);
});

t.test('If-Match is judged of what those before have made of the job', async (t) => {
  const row = rowOf('a', 3);
  const requests: WriteRequest[] = [
    { op: 'post', named: named('a'), request: { note: 'x' }, ifMatch: ['"3.1"'] },
    { op: 'post', named: named('a'), request: { note: 'y' }, ifMatch: ['"3.1"'] },
    { op: 'put', named: named('b'), request: minute, onlyCreate: false, ifMatch: '*' },
  ];
  const { answers } = planBatch(requests, input({ stored: stored(row) }));
  t.match(answers, [
    { result: 'stored', row: { version: 2, note: 'x' } },
    { result: 'refused', error: { code: 'precondition_failed', message: /its entity tag is "3\.2" now/ } },
    { result: 'refused', error: { code: 'precondition_failed', message: /there is no such job/ } },
  ]);
});

t.test('what becomes of the jobs is told where somebody listens', async (t) => {
  const requests = [put('new'), put('old'), { op: 'delete', named: named('gone') }, put('settled')] as const;
  const rows = stored(rowOf('old', 1), rowOf('gone', 2), rowOf('settled', 3));
  const isSettled = (id: number) => id === 3;
  const told = (heard: boolean, requests: readonly WriteRequest[]) =>
    planBatch(requests, input({ stored: rows, isSettled, heard })).events.map(({ type, row }) => [
      type,
      Buffer.from(row.job).toString(),
    ]);
  t.same(told(false, requests), []);
  t.same(told(true, requests), [
    ['scheduled', 'new'],
    ['changed', 'old'],
    ['cancelled', 'gone'],
    ['scheduled', 'settled'],
  ]);
  const again: WriteRequest[] = [{ op: 'delete', named: named('old') }, put('old')];
  t.same(told(true, again), [
    ['cancelled', 'old'],
    ['scheduled', 'old'],
  ]);
  t.same(told(true, [{ op: 'delete', named: named('settled') }]), []);
  t.same(told(true, [put('x'), { op: 'delete', named: named('x') }]), []);
});

t.test('runs by hand and their ends are changes too, after those of the jobs', async (t) => {
  const requests: WriteRequest[] = [
    { op: 'run', named: named('a') },
    put('a'),
    { op: 'run', named: named('a') },
    { op: 'end', span: 2 },
    { op: 'end', span: 2 },
    { op: 'run', named: named('b') },
  ];
  const plan = planBatch(requests, input({ stored: stored(rowOf('b', 4)), spans: new Set([2, 3]) }));
  t.match(plan.answers, [
    { result: 'absent' },
    { result: 'stored', row: { id: 5 } },
    { result: 'opened', span: { id: 6, jobId: 5, kind: 'run', position: 1000, created: 1000 } },
    { result: 'ended' },
    { result: 'absent' },
    { result: 'opened', span: { id: 7, jobId: 4 } },
  ]);
  t.equal(plan.nextId, 8);
  t.match(plan.changes, [
    { op: 'upsert' },
    { op: 'open', span: { id: 6 } },
    { op: 'open', span: { id: 7 } },
    { op: 'end', id: 2 },
  ]);
  t.same(plan.endedSpans, [2]);
  t.equal(plan.spans.length, 2);
});

t.test('no more spans are opened than may be', async (t) => {
  const spans = new Set(Array.from({ length: SPANS_LIMIT - 1 }, (_, index) => index + 100));
  const run: WriteRequest = { op: 'run', named: named('a') };
  const plan = planBatch([put('a'), run, run, { op: 'end', span: 100 }, run], input({ spans }));
  t.match(plan.answers, [
    { result: 'stored' },
    { result: 'opened', span: { id: 6 } },
    { result: 'refused', error: { code: 'too_many_backfills' } },
    { result: 'ended' },
    { result: 'opened', span: { id: 7 } },
  ]);
});

t.test('a settled one-off is not run by hand', async (t) => {
  const row = rowOf('a', 3);
  const plan = planBatch(
    [{ op: 'run', named: named('a') }],
    input({ stored: stored(row), spans: new Set(), isSettled: () => true }),
  );
  t.match(plan.answers, [{ result: 'absent' }]);
  t.same(plan.changes, []);
});
