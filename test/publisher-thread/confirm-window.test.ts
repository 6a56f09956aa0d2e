import t from 'tap';
import { ConfirmWindow } from '../../src/publisher-thread/confirm-window.ts';
import { seededRandom } from '../helpers/random.ts';

type Settled = [owner: string, position: number, returned: boolean];

t.test('single confirms in any order, and those of all up to a tag', async (t) => {
  const window = new ConfirmWindow<string>(4);
  const settled: Settled[] = [];
  const settle = (...each: Settled): void => {
    settled.push(each);
  };
  for (let position = 0; position < 6; position++) window.push('a', position);
  window.confirm(2, false, settle);
  window.confirm(2, false, settle);
  window.confirm(4, true, settle);
  t.strictSame(settled.splice(0), [
    ['a', 1, false],
    ['a', 0, false],
    ['a', 2, false],
    ['a', 3, false],
  ]);
  t.equal(window.size, 2);
  window.confirm(99, true, settle);
  t.equal(settled.length, 0, 'a tag that was never written');
  window.drain(settle);
  t.equal(settled.length, 2);
  t.equal(window.size, 0);
});

t.test('a message that is in flight twice is marked as returned once for each return', async (t) => {
  const window = new ConfirmWindow<string>();
  for (const owner of ['a', 'b', 'a', 'c']) window.push(owner, 0);
  const isA = (owner: string): boolean => owner === 'a';
  t.ok(window.markReturned(isA));
  t.ok(window.markReturned((owner) => owner === 'b'));
  t.ok(window.markReturned(isA));
  t.notOk(window.markReturned(isA));
  const returned: boolean[] = [];
  window.confirm(4, true, (_owner, _position, each) => returned.push(each));
  t.strictSame(returned, [true, true, true, false]);
});

t.test('against a plain model', async (t) => {
  const random = seededRandom(7);
  const window = new ConfirmWindow<number>(2);
  const model = new Map<number, { position: number; returned: boolean }>();
  let next = 1;
  let looks = 0;
  for (let step = 0; step < 20_000; step++) {
    const choice = random();
    const tags = [...model.keys()];
    if (choice < 0.6 || tags.length === 0) {
      window.push(next, next * 3);
      model.set(next, { position: next * 3, returned: false });
      next += 1;
      continue;
    }
    const tag = tags[Math.floor(random() ** 3 * tags.length)]!;
    if (choice < 0.7) {
      window.markReturned((owner) => {
        looks += 1;
        return owner === tag;
      });
      model.get(tag)!.returned = true;
      continue;
    }
    const multiple = choice > 0.97;
    const expected = tags.filter((each) => (multiple ? each <= tag : each === tag));
    const settled: number[] = [];
    window.confirm(tag, multiple, (owner, position, returned) => {
      settled.push(owner);
      const { position: known, returned: marked } = model.get(owner)!;
      if (position !== known || returned !== marked) t.fail(`tag ${owner}`);
      model.delete(owner);
    });
    if (settled.join() !== expected.join()) t.fail(`confirmed ${settled} instead of ${expected}`);
    if (window.size !== model.size) t.fail('the size is wrong');
  }
  t.ok(looks > 0);
  t.equal(window.size, model.size);
});

t.test('when all are returned in order each is looked at once', async (t) => {
  const window = new ConfirmWindow<number>();
  for (let each = 0; each < 10_000; each++) window.push(each, 0);
  let looks = 0;
  for (let each = 0; each < 10_000; each++) {
    window.markReturned((owner) => {
      looks += 1;
      return owner === each;
    });
  }
  t.equal(looks, 10_000);
});
