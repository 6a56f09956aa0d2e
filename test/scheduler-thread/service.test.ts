import { pino } from 'pino';
import t from 'tap';
import { loadConfig } from '../../src/config.ts';
import type { SchedulerReport } from '../../src/protocol/main-scheduler.ts';
import { SchedulerService } from '../../src/scheduler-thread/service.ts';
import { listed } from '../helpers/exceptions.ts';
import { ManualTime } from '../helpers/manual-time.ts';

const NOW = 1_800_000_000_000;

function setUp() {
  const time = new ManualTime(NOW);
  const sent: SchedulerReport[] = [];
  const service = new SchedulerService({
    init: {
      config: loadConfig({ env: {}, args: [] }).config,
      tag: 'k3x9',
      watermark: NOW,
      exceptions: listed([]),
      clockOffset: NOW,
      trustedUntil: Number.POSITIVE_INFINITY,
      memoryLimit: Number.POSITIVE_INFINITY,
    },
    port: { send: (report) => sent.push(report), listen: () => {}, close: () => {} },
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
  return { service, sent, connections };
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
