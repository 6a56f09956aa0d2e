import t from 'tap';
import { ByteStore } from '../../src/scheduler-thread/byte-store.ts';
import { Column } from '../../src/scheduler-thread/column.ts';
import { IdIndex } from '../../src/scheduler-thread/id-index.ts';
import { Rows } from '../../src/scheduler-thread/rows.ts';
import { seededRandom } from '../helpers/random.ts';

t.test('the index of ids behaves as a map under random additions and removals', async (t) => {
  const ids = new Column(Float64Array);
  const index = new IdIndex((slot) => ids.get(slot));
  const model = new Map<number, number>();
  const free: number[] = [];
  const random = seededRandom(5);
  let end = 0;
  for (let step = 0; step < 200_000; step++) {
    // Of none, of fewer than there are, of more.
    if (step % 60_000 === 0) index.reserve(step);
    // Ids beyond 32 bits too, and dense ones, as they really are.
    const id = Math.floor(random() * 20_000) + (random() < 0.5 ? 0 : 2 ** 40);
    const slot = model.get(id);
    if (slot === undefined && random() < 0.7) {
      const taken = free.pop() ?? end++;
      ids.reserve(end);
      ids.set(taken, id);
      index.add(id, taken);
      model.set(id, taken);
    } else if (slot !== undefined) {
      index.remove(id);
      model.delete(id);
      free.push(slot);
    }
  }
  let wrong = 0;
  for (let id = 0; id < 20_000; id++) {
    for (const candidate of [id, id + 2 ** 40]) {
      if (index.find(candidate) !== (model.get(candidate) ?? -1)) wrong++;
    }
  }
  t.equal(wrong, 0);
  t.ok(model.size > 1000);
});

t.test('the byte store gives back what was put, and uses freed blocks again', async (t) => {
  const store = new ByteStore();
  const random = seededRandom(9);
  const blocks: { reference: number; bytes: Uint8Array }[] = [];
  for (let step = 0; step < 20_000; step++) {
    if (blocks.length > 0 && random() < 0.45) {
      const place = Math.floor(random() * blocks.length);
      const [block] = blocks.splice(place, 1);
      store.free(block!.reference, block!.bytes.length);
    } else {
      const length = random() < 0.02 ? Math.floor(random() * 20_000) : Math.floor(random() * 200);
      const bytes = new Uint8Array(length).fill(step & 255);
      blocks.push({ reference: store.put(bytes), bytes });
    }
  }
  let wrong = 0;
  for (const { reference, bytes } of blocks) {
    const copy = new Uint8Array(bytes.length);
    store.copy(reference, bytes.length, copy, 0);
    if (Buffer.compare(copy, bytes) !== 0 || !store.equals(reference, bytes.length, bytes)) wrong++;
  }
  t.equal(wrong, 0, 'no block was overwritten');

  const before = store.bytes;
  for (let round = 0; round < 100_000; round++) store.free(store.put(new Uint8Array(50)), 50);
  t.equal(store.bytes, before, 'putting and freeing the same size takes no more memory');
});

t.test('a block larger than a slab', async (t) => {
  const store = new ByteStore();
  const small = store.put(Uint8Array.of(1, 2, 3));
  const bytes = new Uint8Array(3_000_000).fill(7);
  const large = store.put(bytes);
  const after = store.put(Uint8Array.of(4, 5, 6));
  t.ok(store.equals(large, bytes.length, bytes));
  t.ok(store.equals(small, 3, Uint8Array.of(1, 2, 3)));
  t.ok(store.equals(after, 3, Uint8Array.of(4, 5, 6)));
  store.free(large, bytes.length);
  const again = store.put(bytes);
  t.equal(again, large);
});

t.test('the fields of rows keep what each was given, over several chunks', async (t) => {
  const rows = new Rows(24);
  const fields = [rows.float64(0), rows.int32(8), rows.int32(12), rows.uint8(16), rows.uint8(23)];
  const count = 10_000;
  rows.reserve(count);
  t.ok(rows.capacity >= count);
  const numberFor = (row: number, field: number) =>
    field === 0 ? row * 1e9 + 0.5 : field < 3 ? row * 7 - field : (row + field) % 256;
  for (let row = 0; row < count; row++) {
    for (const [index, field] of fields.entries()) field.set(row, numberFor(row, index));
  }
  let wrong = 0;
  for (let row = 0; row < count; row++) {
    for (const [index, field] of fields.entries()) if (field.get(row) !== numberFor(row, index)) wrong++;
  }
  t.equal(wrong, 0);
});
