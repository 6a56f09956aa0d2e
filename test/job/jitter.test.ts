import t from 'tap';
import { timetableOf } from '../../src/job/timetable.ts';
import { every, once } from './schedules.ts';

/**
 * Job, time, and by how many ms it is moved with a jitter of a minute and of a day. Worked out by Python's whole numbers
 * from the published source of MurmurHash3. An upgrade must not change it: what is due would run again, or not at all.
 */
const MOVED: readonly (readonly [id: number, time: number, byMinute: number, byDay: number])[] = [
  [1, 0, 53077, 77226223],
  [1, 1800000000000, 6419, 9942269],
  [1, 2147483648000, 13864, 53433922],
  [1, 4102444800000, 43480, 33309844],
  [1, 253402300740000, 59344, 17391624],
  [2, 0, 28047, 50091513],
  [2, 1800000000000, 47497, 22095475],
  [2, 2147483648000, 21799, 32189075],
  [2, 4102444800000, 2325, 54166415],
  [2, 253402300740000, 57239, 66379376],
  [7, 0, 23154, 59573320],
  [7, 1800000000000, 47552, 15433517],
  [7, 2147483648000, 49675, 10612916],
  [7, 4102444800000, 13963, 55916448],
  [7, 253402300740000, 12903, 21296461],
  [4294967296, 0, 59470, 60526509],
  [4294967296, 1800000000000, 59199, 49918622],
  [4294967296, 2147483648000, 51174, 55268096],
  [4294967296, 4102444800000, 24361, 51931955],
  [4294967296, 253402300740000, 57777, 13858083],
  [281474976710655, 0, 46070, 48419868],
  [281474976710655, 1800000000000, 21211, 9437808],
  [281474976710655, 2147483648000, 29997, 80714914],
  [281474976710655, 4102444800000, 17831, 43871379],
  [281474976710655, 253402300740000, 14579, 31754998],
];
const DAY = 86_400_000;
/** The last ms that RFC 3339 tells. */
const LAST = Date.UTC(10000, 0, 1) - 1;

t.test('each time is moved by the same for ever', async (t) => {
  for (const [id, time, byMinute, byDay] of MOVED) {
    const name = `job ${id} at ${time}`;
    const moved = (jitter: number) => timetableOf(once(time, { jitter }), id).firstAtOrAfter(time) - time;
    // The last are cut to the end of time.
    const room = LAST - time + 1;
    if (room > 60_001) t.equal(moved(60_000), byMinute, name);
    if (room > DAY) t.equal(moved(DAY), byDay, name);
    t.equal(timetableOf(once(time, { jitter: DAY }), id).lastAtOrBefore(LAST), time + moved(DAY), name);
    t.ok(time + moved(DAY) <= LAST, name);
  }
});

t.test('it spreads jobs and times evenly, to both ends', async (t) => {
  const jitter = 9999;
  const jobs = new Array<number>(10).fill(0);
  const times = new Array<number>(10).fill(0);
  for (let n = 1; n <= 10_000; n++) {
    jobs[Math.floor((timetableOf(once(0, { jitter }), n).firstAtOrAfter(0) * 10) / (jitter + 1))]!++;
    const time = n * 60_000;
    const late = timetableOf(every(60, { jitter }), 5).firstAtOrAfter(time) - time;
    times[Math.floor((late * 10) / (jitter + 1))]!++;
  }
  for (const count of [...jobs, ...times]) t.ok(count > 880 && count < 1120, `${count} of 10000 in a tenth`);
  const offsets = Array.from({ length: 100 }, (_, id) =>
    timetableOf(once(0, { jitter: 2 }), id).firstAtOrAfter(0),
  );
  t.same([...new Set(offsets)].sort(), [0, 1, 2], 'the whole jitter is reached');
});
