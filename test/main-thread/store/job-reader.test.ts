import t from 'tap';
import type { MysqlConfig } from '../../../src/config.ts';
import { createJobReader } from '../../../src/main-thread/store/job-reader.ts';
import { ManualTime } from '../../helpers/manual-time.ts';

const MYSQL: MysqlConfig = {
  ...{ host: '127.0.0.1', port: 3306, user: 'root', password: '', database: 'test', table: 'jobs' },
};

t.test('a question that waits for others is refused in time', async (t) => {
  const timers = new ManualTime(0);
  const never = () => new Promise<never>(() => {});
  const reader = createJobReader(MYSQL, { connect: never, size: 1, timers });
  const refused: string[] = [];
  const ask = (job: string) => {
    reader.read({ routingKey: 'feeds', job }).catch(({ code }) => refused.push(`${job} ${code}`));
  };
  ask('a');
  await timers.advance(2_000);
  ask('b');
  await timers.advance(999);
  t.same(refused, []);
  await timers.advance(1);
  t.same(refused, ['a database_unavailable']);
  await timers.advance(2_000);
  t.same(refused, ['a database_unavailable', 'b database_unavailable'], 'its turn has never come');
});
