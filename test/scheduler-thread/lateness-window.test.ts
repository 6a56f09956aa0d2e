import fc from 'fast-check';
import t from 'tap';
import { LatenessWindow } from '../../src/scheduler-thread/lateness-window.ts';

t.test('percentiles are right to a sixteenth, and the maximum is exact', async (t) => {
  const lateness = fc.oneof(
    fc.double({ min: 0, max: 20, noNaN: true }),
    fc.double({ min: 0, max: 1e9, noNaN: true }),
  );
  let compared = 0;
  fc.assert(
    fc.property(fc.array(lateness, { minLength: 1, maxLength: 300 }), (values) => {
      const window = new LatenessWindow();
      for (const value of values) window.note(value, 1000);
      const sorted = values.toSorted((a, b) => a - b);
      const { count, p50, p99, p999, max } = window.read(1000);
      const near = (told: number | null, share: number) => {
        const exact = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!;
        return told !== null && told >= exact && told <= exact + Math.max(exact / 16, 1 / 16) + 1e-9;
      };
      compared++;
      return (
        count === values.length &&
        max === sorted.at(-1) &&
        near(p50, 0.5) &&
        near(p99, 0.99) &&
        near(p999, 0.999)
      );
    }),
  );
  t.equal(compared, 100);
});

t.test('what is older than five minutes is forgotten', async (t) => {
  const window = new LatenessWindow();
  t.same(window.read(0), { count: 0, p50: null, p99: null, p999: null, max: null });
  window.note(500, 0);
  window.note(5, 200_000);
  t.match(window.read(299_999), { count: 2, max: 500 });
  t.match(window.read(300_000), { count: 1, max: 5 });
  t.match(window.read(900_000), { count: 0, max: null });
  window.note(7, 900_000);
  t.match(window.read(900_000), { count: 1, max: 7 }, 'its place is used again');
});

t.test('a message that is a fraction early counts as one in time', async (t) => {
  const window = new LatenessWindow();
  window.note(-0.5, 0);
  t.match(window.read(0), { count: 1, p50: 0, max: 0 });
});
