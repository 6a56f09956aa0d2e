import t from 'tap';
import { Exchanges, type LookForExchange } from '../../src/main-thread/exchanges.ts';
import { ManualTime } from '../helpers/manual-time.ts';

function setUp(...answers: Awaited<ReturnType<LookForExchange>>[]) {
  const time = new ManualTime(0);
  const asked: string[] = [];
  const exchanges = new Exchanges(async (exchange) => {
    asked.push(exchange);
    return answers.shift();
  }, time);
  const check = (exchange?: string) =>
    exchanges.check(exchange === undefined ? {} : { message: { exchange } });
  return { time, asked, check };
}

t.test('an exchange that is there is asked for once a minute, and the default one never', async (t) => {
  const { time, asked, check } = setUp(null, null);
  await check();
  await check('');
  await Promise.all([check('feeds'), check('feeds')]);
  await time.advance(59_999);
  await check('feeds');
  t.same(asked, ['feeds']);
  await time.advance(1);
  await check('feeds');
  t.same(asked, ['feeds', 'feeds']);
});

t.test('one that is missing is refused, and asked for again after a second', async (t) => {
  const { time, asked, check } = setUp('no exchange', null);
  const refused = { code: 'invalid_parameter', parameter: 'exchange', message: /no exchange/ };
  await t.rejects(check('feeds'), refused);
  await t.rejects(check('feeds'), refused);
  t.equal(asked.length, 1);
  await time.advance(1000);
  await check('feeds');
  t.equal(asked.length, 2);
});

t.test('while RabbitMQ cannot be asked it is taken for there, and asked for again by the next', async (t) => {
  const { asked, check } = setUp(undefined, 'no exchange');
  await check('feeds');
  await t.rejects(check('feeds'), { code: 'invalid_parameter' });
  t.equal(asked.length, 2);
});
