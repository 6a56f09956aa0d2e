import t from 'tap';
import { decodeExceptions, encodeExceptions } from '../../src/job/exceptions.ts';
import { seededRandom } from '../helpers/random.ts';

const list = (entries: [id: number, time: number, behind?: number][]) => ({
  ids: Float64Array.from(entries, ([id]) => id),
  times: Float64Array.from(entries, ([, time]) => time),
  behind: Float64Array.from(entries, ([, , behind]) => behind ?? 0),
  caughtUp: null,
});

t.test('a list survives being encoded, sorted by id and time', async (t) => {
  const entries: [number, number, number?][] = [
    [7, 1_800_000_000_123, 300],
    [3, 1_800_000_000_000],
    [7, 1_799_999_999_000],
    [2 ** 52, 5_364_662_400_000],
    [3, 1],
  ];
  const decoded = decodeExceptions(encodeExceptions(list(entries)));
  t.same([...decoded.ids], [3, 3, 7, 7, 2 ** 52]);
  t.same([...decoded.behind], [0, 0, 0, 300, 0]);
  t.same([...decoded.times], [1, 1_800_000_000_000, 1_799_999_999_000, 1_800_000_000_123, 5_364_662_400_000]);
});

t.test('any list is sorted, whatever its order, with and without two entries of one job', async (t) => {
  for (const jobs of [1, 50, 2 ** 30, 2 ** 45]) {
    const random = seededRandom(jobs);
    const entries = Array.from({ length: 2000 }, (): [number, number, number] => [
      1 + Math.floor(random() * jobs),
      1_800_000_000_000 + Math.floor(random() * 60_000),
      Math.floor(random() * 3),
    ]);
    const decoded = decodeExceptions(encodeExceptions(list(entries)));
    const sorted = entries.toSorted((a, b) => a[0] - b[0] || a[1] - b[1]);
    t.same(
      [...decoded.ids].map((id, index) => [id, decoded.times[index]]),
      sorted.map(([id, time]) => [id, time]),
    );
  }
});

t.test('an empty list, and an empty column', async (t) => {
  t.equal(decodeExceptions(encodeExceptions(list([]))).ids.length, 0);
  t.equal(decodeExceptions(new Uint8Array(0)).ids.length, 0);
});

t.test('ten thousand entries of one moment take few bytes each', async (t) => {
  const entries = Array.from({ length: 10_000 }, (_, id): [number, number] => [
    id * 3,
    1_800_000_000_000 + (id % 50),
  ]);
  t.ok(encodeExceptions(list(entries)).length < 40_000);
});

t.test('damaged bytes are told, not misread', async (t) => {
  const bytes = encodeExceptions(list([[5, 1_800_000_000_000]]));
  t.throws(() => decodeExceptions(bytes.subarray(0, bytes.length - 1)), RangeError);
  t.throws(() => decodeExceptions(Uint8Array.of(...bytes, 0)), RangeError);
  t.throws(() => decodeExceptions(Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 255, 255)), RangeError);
});

t.test('how far a catch-up has come survives it too', async (t) => {
  const origin = 1_800_000_000_000;
  const caughtUp = {
    origin,
    untils: [origin + 5, origin + 5000],
    throughs: [origin + 60_000, origin + 60_250],
  };
  const bytes = encodeExceptions({ ...list([[5, origin]]), caughtUp });
  t.same(decodeExceptions(bytes).caughtUp, caughtUp);
  t.throws(() => decodeExceptions(bytes.subarray(0, bytes.length - 1)), RangeError);
  t.equal(decodeExceptions(encodeExceptions(list([[5, origin]]))).caughtUp, null);
});

t.test('and of one that is paced', async (t) => {
  const from = 1_800_000_000_000;
  const paced = {
    ...{ misfireAfter: 60_000, known: from - 5, missedFrom: from + 90, through: from + 7_200_000 },
    lapses: [
      { from, clock: from + 3_600_000, missedFrom: Number.POSITIVE_INFINITY, waitsFrom: from + 80 },
      { from: from + 3_700_000, clock: from + 7_000_000, missedFrom: from + 85, waitsFrom: from + 3_700_000 },
    ],
  };
  const bytes = encodeExceptions({ ...list([[5, from]]), paced });
  t.match(decodeExceptions(bytes), { caughtUp: null, paced });
  t.throws(() => decodeExceptions(bytes.subarray(0, bytes.length - 1)), RangeError);
});
