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
  t.same(clock.discipline(null), { kind: 'slewed', difference: 0 });
});

t.test('a difference is worked off, without going back and without a jump', async (t) => {
  for (const difference of [-59_000, -800, 800, 59_000]) {
    const { time, pass, clock } = setUp();
    time.wall += difference;
    let before = clock.now();
    for (let second = 0; second < 300; second++) {
      clock.discipline(null);
      pass(1000);
      const advance = clock.now() - before;
      if (advance < 499 || advance > 1501) t.fail(`${advance} ms in a second`);
      before = clock.now();
    }
    t.ok(Math.abs(clock.now() - time.wall) < 1, `${difference} ms`);
  }
});

t.test('a step is followed only when a younger reading of MySQL shows it too', async (t) => {
  for (const step of [-3_600_000, 86_400_000, 170 * 365 * 86_400_000, -170 * 365 * 86_400_000]) {
    const { time, pass, clock } = setUp();
    const before = { time: time.wall, monotonic: time.monotonic };
    pass(1);
    time.wall += step;
    t.same(clock.discipline(before), { kind: 'disputed', difference: step }, 'a reading from before it');
    pass(1000);
    const elsewhere = { time: time.wall - step, monotonic: time.monotonic };
    t.equal(clock.discipline(elsewhere).kind, 'step-refused', 'a server that does not show it');
    const younger = { time: time.wall + 40_000, monotonic: time.monotonic };
    pass(1000);
    t.same(clock.discipline(younger), { kind: 'stepped', difference: step });
    t.equal(clock.now(), time.wall);
    pass(500);
    t.equal(clock.now(), time.wall);
    t.same(clock.discipline(younger), { kind: 'slewed', difference: 0 });
  }
});

t.test('a wall clock that comes back ends the dispute', async (t) => {
  const { time, pass, clock } = setUp();
  time.wall += 100_000;
  t.equal(clock.discipline(null).kind, 'disputed');
  const reading = { time: time.wall, monotonic: time.monotonic };
  pass(1);
  time.wall -= 100_000;
  t.equal(clock.discipline(null).kind, 'slewed');
  pass(1000);
  time.wall += 100_000;
  t.equal(clock.discipline(reading).kind, 'disputed', 'a reading from before the second step');
  const second = setUp();
  second.time.wall += 61_000;
  second.clock.discipline(null);
  const near = { time: second.time.wall - 59_000, monotonic: second.time.monotonic };
  t.equal(second.clock.discipline(near).kind, 'step-refused', 'MySQL is nearer to this clock');
});

t.test('a step is told and not followed', async (t) => {
  for (const difference of [-3_600_000, 60_001, 170 * 365 * 86_400_000]) {
    const { time, pass, clock } = setUp();
    time.wall += difference;
    t.same(clock.discipline(null), { kind: 'disputed', difference });
    pass(10_000);
    t.equal(clock.now(), 1_800_000_010_000);
  }
});

t.test('a clock that is told its offset goes back by a step only', async (t) => {
  const clock = new OffsetClock(1_800_000_000_000);
  const before = clock.now();
  clock.setOffset(1_700_000_000_000, false);
  t.equal(clock.now(), before);
  clock.setOffset(1_700_000_000_000, true);
  t.ok(clock.now() < before);
  clock.setOffset(1_900_000_000_000, false);
  t.ok(clock.now() > before);
});
