import t from 'tap';
import { backoff } from '../../src/publisher-thread/backoff.ts';
import { explainConnectionError } from '../../src/publisher-thread/connection-error.ts';
import { DeadlineError, within } from '../../src/publisher-thread/deadline.ts';

const config = { host: 'mq', port: 5672, user: 'u', password: 'hush', vhost: '/', exchange: 'e' };

t.test('every fault names the server, and what to set where that helps', async (t) => {
  const coded = (code: string | number, message = ''): Error => Object.assign(new Error(message), { code });
  const cases: [unknown, boolean, RegExp][] = [
    [coded('ECONNREFUSED'), false, /refuses the connection.*_HOST and .*_PORT/],
    [coded('EHOSTUNREACH'), false, /cannot be reached: EHOSTUNREACH/],
    [coded('EAI_AGAIN'), false, /cannot be resolved/],
    [new Error('connect ETIMEDOUT'), false, /does not answer in time/],
    [new Error('Heartbeat timeout'), false, /does not answer in time/],
    [new DeadlineError('slow'), false, /does not answer in time/],
    [coded(320, 'Connection closed: 320 (CONNECTION-FORCED) with message "bye"'), false, /: bye$/],
    [new Error('SASL mechanism PLAIN is not provided by the server'), true, /not RabbitMQ's AMQP port/],
    [new Error('strange\n  thing'), false, /failed: strange thing$/],
    [new AggregateError([coded('ECONNREFUSED', 'x')], ''), false, /failed: x$/],
    [undefined, false, /failed: closed$/],
  ];
  for (const [error, fatal, pattern] of cases) {
    const fault = explainConnectionError(error, config);
    t.match(fault.reason, /mq:5672/);
    t.match(fault.reason, pattern);
    t.equal(fault.fatal, fatal, fault.reason);
    t.notMatch(fault.reason, /hush|\n/);
  }
});

t.test('the backoff doubles up to its limit, less a jitter', async (t) => {
  t.equal(backoff(0, 100, 5000, 1), 100);
  t.equal(backoff(0, 100, 5000, 0), 75);
  t.equal(backoff(3, 100, 5000, 1), 800);
  t.equal(backoff(2000, 100, 5000, 1), 5000);
});

t.test('what comes after the deadline is given back', async (t) => {
  let resolve = (_: string): void => {};
  const slow = new Promise<string>((take) => {
    resolve = take;
  });
  const late = new Promise<string>((take) => {
    t.rejects(within(1, 'it', slow, take), {
      name: 'DeadlineError',
      message: 'it took longer than 1 ms',
    }).then(() => resolve('here'));
  });
  t.equal(await late, 'here');
  t.equal(await within(10_000, 'it', Promise.resolve(3)), 3);
  await t.rejects(within(10_000, 'it', Promise.reject(new Error('no'))), { message: 'no' });
});
