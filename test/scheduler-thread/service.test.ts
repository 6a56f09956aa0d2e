import { pino } from 'pino';
import t from 'tap';
import { loadConfig } from '../../src/config.ts';
import type { SchedulerCommand, SchedulerReport } from '../../src/protocol/main-scheduler.ts';
import { SchedulerService } from '../../src/scheduler-thread/service.ts';
import { listed } from '../helpers/exceptions.ts';
import { ManualTime, settleMicrotasks } from '../helpers/manual-time.ts';
import { intervalRow } from '../helpers/rows.ts';

const NOW = 1_800_000_000_000;

function setUp() {
  const time = new ManualTime(NOW);
  const sent: SchedulerReport[] = [];
  let obey: (command: SchedulerCommand) => void = () => {};
  const service = new SchedulerService({
    init: {
      config: loadConfig({ env: {}, args: [] }).config,
      tag: 'k3x9',
      watermark: NOW,
      exceptions: listed([]),
      clockOffset: NOW,
      trustedUntil: Number.POSITIVE_INFINITY,
      memoryLimit: Number.POSITIVE_INFINITY,
      spans: [],
    },
    port: {
      send: (report) => sent.push(report),
      listen: (listener) => {
        obey = listener;
      },
      close: () => {},
    },
    clock: Object.assign(time, { setOffset: () => {} }),
    timers: time,
    random: () => 0.5,
    log: pino({ enabled: false }),
    startPublishers: () => ({ publish: () => new Promise(() => {}), close: async () => {} }),
    batchesAtOnce: 1,
    openTable: () => Promise.reject(new Error('there is no table')),
    measureTable: () => Promise.reject(new Error('there is no table')),
  });
  const connections = () =>
    sent.filter((report) => report.type === 'broker.changed').map(({ connected }) => connected);
  return { service, sent, connections, obey: (command: SchedulerCommand) => obey(command) };
}

t.test('main is told how many publisher threads reach the broker', async (t) => {
  const { service, sent, connections } = setUp();
  const changed = { type: 'connection.changed', blocked: false } as const;
  service.hear({ ...changed, threadId: 1, connected: true, reason: null });
  service.hear({ ...changed, threadId: 2, connected: true, reason: null });
  service.hear({ ...changed, threadId: 2, connected: false, blocked: true, reason: 'low on memory' });
  t.same(connections(), [1, 2, 1]);
  service.loseThread(1, new Error('crashed'));
  t.match(sent.at(-1), { type: 'broker.changed', connected: 0, reason: /thread has ended/ });
  service.hear({ ...changed, threadId: 3, connected: true, reason: null });
  t.same(connections(), [1, 2, 1, 0, 1]);
});

t.test('it tells which jobs are next, and when', async (t) => {
  const { sent, obey } = setUp();
  const changes = [300, 100, 200].map((delay, at) => {
    const row = intervalRow(at + 1, 60_000, NOW + delay, { since: NOW });
    return { op: 'upsert', row } as const;
  });
  const paused = intervalRow(9, 60_000, NOW + 1, { since: NOW, enabled: false });
  obey({
    type: 'jobs.changed',
    number: 1,
    changes: [...changes, { op: 'upsert', row: paused }],
    reply: false,
  });
  obey({ type: 'question', number: 7, question: { about: 'next', limit: 2 } });
  await settleMicrotasks();
  t.strictSame(sent.at(-1), {
    ...{ type: 'answer', number: 7 },
    answer: { about: 'next', ids: Float64Array.of(2, 3), times: Float64Array.of(NOW + 100, NOW + 200) },
  });
});
