import t from 'tap';
import { OffsetClock, SlewedClock } from '../src/clock.ts';

/** A wall clock and a monotonic one that the test sets. */
function setUp() {
  const time = { wall: 1_800_000_000_000, monotonic: 500 };
  const pass = (ms: number) => {
    time.wall += ms;
    time.monotonic += ms;
  };
  const clock = new SlewedClock(
    () => time.wall,
    () => time.monotonic,
  );
  return { time, pass, clock };
}

t.test('it follows the wall clock', async (t) => {
  const { pass, clock } = setUp();
  pass(1234);
  t.equal(clock.now(), 1_800_000_001_234);
  t.same(clock.discipline(), { kind: 'slewed', difference: 0 });
});

t.test('a difference is worked off, without going back and without a jump', async (t) => {
  for (const difference of [-59_000, -800, 800, 59_000]) {
    const { time, pass, clock } = setUp();
    time.wall += difference;
    let before = clock.now();
    for (let second = 0; second < 300; second++) {
      clock.discipline();
      pass(1000);
      const advance = clock.now() - before;
      if (advance < 499 || advance > 1501) t.fail(`${advance} ms in a second`);
      before = clock.now();
    }
    t.ok(Math.abs(clock.now() - time.wall) < 1, `${difference} ms`);
  }
});

t.test('a step is told and not followed', async (t) => {
  for (const difference of [-3_600_000, 60_001, 170 * 365 * 86_400_000]) {
    const { time, pass, clock } = setUp();
    time.wall += difference;
    t.same(clock.discipline(), { kind: 'step-refused', difference });
    pass(10_000);
    t.equal(clock.now(), 1_800_000_010_000);
  }
});

t.test('a clock that is told its offset never goes back', async (t) => {
  const clock = new OffsetClock(1_800_000_000_000);
  const before = clock.now();
  clock.setOffset(1_700_000_000_000);
  t.equal(clock.now(), before);
  clock.setOffset(1_900_000_000_000);
  t.ok(clock.now() > before);
});
