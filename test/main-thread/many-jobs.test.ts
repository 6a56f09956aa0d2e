import t from 'tap';
import { DalgaError } from '../../src/errors.ts';
import { Exchanges } from '../../src/main-thread/exchanges.ts';
import { changeMany, type ManyQuery } from '../../src/main-thread/many-jobs.ts';
import type { Owner } from '../../src/main-thread/owner.ts';
import type { JobLister } from '../../src/main-thread/store/job-lister.ts';
import { ManualTime } from '../helpers/manual-time.ts';

function setUp(owner: () => Owner) {
  const asked: string[] = [];
  const exchanges = new Exchanges(async (exchange) => {
    asked.push(exchange);
    return exchange === 'feeds' ? null : 'no such exchange';
  }, new ManualTime(0));
  let reads = 0;
  const lister = {
    async *named() {
      reads++;
      yield [];
    },
  } as unknown as JobLister;
  const change = (exchange: string, dryRun = false) => {
    const filter = { routingKey: 'k' } as unknown as ManyQuery['filter'];
    const query = { filter, change: { message: { exchange } }, dryRun, isGone: () => false };
    return changeMany(query, { lister, owner, exchanges });
  };
  return { asked, change, reads: () => reads };
}

t.test('an exchange that is missing is refused before any job is read', async (t) => {
  const { change, reads } = setUp(() => ({ coalescer: {} }) as Owner);
  const refused = { code: 'invalid_parameter', parameter: 'exchange', message: /no such exchange/ };
  await t.rejects(change('lost'), refused);
  await t.rejects(change('lost', true), refused, 'where nothing would be written too');
  t.equal(reads(), 0);
  t.same(await change('feeds'), { matched: 0, changed: 0, refused: 0, errors: [] });
  t.equal(reads(), 1);
});

t.test('an instance that takes no writes says so, and asks for no exchange', async (t) => {
  const { asked, change } = setUp(() => {
    throw new DalgaError('not_owner', 'another instance owns the table');
  });
  await t.rejects(change('lost'), { code: 'not_owner' });
  t.same(asked, []);
});
