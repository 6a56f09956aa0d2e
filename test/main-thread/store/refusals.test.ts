import t from 'tap';
import { Refusals } from '../../../src/main-thread/store/refusals.ts';
import { ManualTime } from '../../helpers/manual-time.ts';

t.test('that MySQL takes no writes, and that it takes them again, is told once each', async (t) => {
  const time = new ManualTime(0);
  const told: (string | null)[] = [];
  const refusals = new Refusals({ clock: time, onRefused: (reason) => told.push(reason) });
  refusals.written();
  t.same(told, []);
  refusals.refused(new Error('read-only'));
  refusals.refused(new Error('read-only'));
  t.same(told, ['read-only']);
  await time.advance(1_999);
  refusals.written();
  refusals.refused(new Error('read-only'));
  await time.advance(1_999);
  refusals.written();
  t.same(told, ['read-only'], 'some go through, and some do not');
  await time.advance(1);
  refusals.written();
  refusals.written();
  t.same(told, ['read-only', null]);
  refusals.refused(new Error('full'));
  t.same(told, ['read-only', null, 'full']);
});
