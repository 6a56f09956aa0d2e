import { pino } from 'pino';
import t from 'tap';
import { BrokerLog } from '../../src/scheduler-thread/broker-log.ts';

function setUp() {
  const lines: string[] = [];
  const log = new BrokerLog(pino({}, { write: (line) => lines.push(JSON.parse(line).msg) }));
  const connection = (threadId: number, reason: string | null, blocked = false) =>
    log.connection({ type: 'connection.changed', threadId, connected: reason === null, reason, blocked });
  const exchange = (threadId: number, reason: string | null) =>
    log.exchange({
      type: 'exchange.changed',
      threadId,
      exchange: 'feeds',
      usable: reason === null,
      reason,
    });
  const taken = () => lines.splice(0);
  return { log, connection, exchange, taken };
}

t.test('each reason is told once while there is no connection', async (t) => {
  const { connection, taken } = setUp();
  connection(1, null);
  t.same(taken(), ['connected to RabbitMQ']);
  for (const reason of ['closed', 'refused', 'hung up', 'refused', 'hung up']) connection(1, reason);
  t.same(
    taken(),
    ['closed', 'refused', 'hung up'].map((reason) => `not connected to RabbitMQ: ${reason}`),
  );
  connection(1, null);
  connection(1, 'closed');
  t.same(taken(), ['connected to RabbitMQ', 'not connected to RabbitMQ: closed'], 'the next time again');
});

t.test('a blocked connection is not lost, unless it is', async (t) => {
  const { connection, taken } = setUp();
  connection(1, null);
  connection(1, 'RabbitMQ takes no messages now: low on memory', true);
  connection(1, null);
  t.same(taken(), [
    'connected to RabbitMQ',
    'RabbitMQ takes no messages now: low on memory',
    'RabbitMQ takes messages again',
  ]);
  connection(1, 'low on disk', true);
  connection(1, 'closed');
  connection(1, null);
  t.same(taken(), ['low on disk', 'not connected to RabbitMQ: closed', 'connected to RabbitMQ']);
});

t.test('an exchange is told of once for all threads, and once across connections', async (t) => {
  const { log, connection, exchange, taken } = setUp();
  exchange(1, 'NOT_FOUND');
  exchange(2, 'NOT_FOUND');
  connection(1, 'closed');
  connection(1, null);
  taken();
  exchange(1, 'NOT_FOUND');
  exchange(1, null);
  t.same(taken(), []);
  exchange(2, null);
  t.same(taken(), ['exchange "feeds" can be published to again']);
  exchange(2, 'NOT_FOUND');
  t.same(taken(), ['exchange "feeds" cannot be published to: NOT_FOUND']);
  log.lose(2, new Error('crashed'));
  t.same(taken(), ['a publisher thread has ended: another one takes its place']);
});
