import { pino } from 'pino';
import t from 'tap';
import { type ReturnedMessage, ReturnLog } from '../../src/scheduler-thread/return-log.ts';
import { ManualTime } from '../helpers/manual-time.ts';

const NOW = 1_800_000_000_000;

function setUp() {
  const lines: Record<string, unknown>[] = [];
  const log = pino({}, { write: (line) => lines.push(JSON.parse(line)) });
  const time = new ManualTime(NOW);
  return { lines, time, log: new ReturnLog(log, time, 'k3x9') };
}

function returned(name: string, changes: Partial<ReturnedMessage> = {}): ReturnedMessage {
  const job = { id: 35, name: () => new TextEncoder().encode(name) };
  return { exchange: 'feeds', routingKey: 'check_feed', time: NOW, span: 0, job, ...changes };
}

t.test('a line names the job and the message', async (t) => {
  const { lines, log } = setUp();
  log.note(returned('https://example.com/feed.xml'));
  const message_id = `k3x9.z.${NOW.toString(36)}`;
  t.match(lines, [
    {
      exchange: 'feeds',
      routing_key: 'check_feed',
      job: '"https://example.com/feed.xml"',
      message_id,
      msg: `no queue takes routing key "check_feed" from exchange "feeds" (job "https://example.com/feed.xml", message ${message_id})`,
    },
  ]);
});

t.test('a job is shortened, and what would move a cursor is escaped', async (t) => {
  const { lines, log } = setUp();
  log.note(returned('\u001b[2J\u009b\u202e\n"'));
  t.equal(lines[0]!.job, '"\\u001b[2J\\u{9b}\\u{202e}\\n\\""');
  log.note(returned('😀'.repeat(20_000)));
  t.equal(lines[1]!.job, `"${'😀'.repeat(100)}…"`);
  log.note(returned('', { job: null }));
  t.match(lines[2], { msg: 'a job that was removed', message_id: null });
});

t.test('the rate is bounded, and what was left out is counted', async (t) => {
  const { lines, log, time } = setUp();
  for (let count = 0; count < 1000; count++) log.note(returned('1'));
  t.equal(lines.length, 10);
  await time.advance(10_000);
  log.note(returned('2'));
  t.match(lines[10], { msg: '990 more messages were returned as unroutable' });
  t.match(lines[11], { job: '"2"' });
});
