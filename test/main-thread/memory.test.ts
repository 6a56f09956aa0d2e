import t from 'tap';
import { JobMemory, memoryLimit } from '../../src/main-thread/memory.ts';
import { jobBytes } from '../../src/protocol/job-memory.ts';
import { JobArena } from '../../src/scheduler-thread/job-arena.ts';
import { intervalRow } from '../helpers/rows.ts';

t.test('the account: what was reported, and what was posted since', async (t) => {
  const cost = jobBytes(intervalRow(1, 1000, 0).job.length);
  const memory = new JobMemory(2 * cost);
  const refused = { code: 'insufficient_memory', status: 507, message: /DALGA_MEMORY_LIMIT/ };
  memory.admit(cost, 0);
  memory.posted(1, cost);
  memory.admit(cost, 0);
  memory.posted(2, cost);
  memory.posted(3, 0);
  t.throws(() => memory.admit(cost, 0), refused);
  memory.acknowledged(1, cost);
  t.throws(() => memory.admit(cost, 0), refused, 'one is reported, the other is still on its way');
  memory.acknowledged(2, 2 * cost);
  t.throws(() => memory.admit(cost, 0), refused);
  memory.acknowledged(3, cost);
  memory.admit(cost, 0);
  t.throws(() => memory.admit(cost, 1), refused, 'with another one of its batch');
  memory.loading(1000);
  t.throws(() => memory.admit(cost, 0), refused, 'the table that is being loaded takes its room');
  memory.loaded();
  memory.admit(cost, 0);
});

t.test('a job that is removed makes room for another', async (t) => {
  const arena = new JobArena('');
  t.equal(arena.bytes, 0);
  const slots = [1, 2, 3].map((id) => arena.add(intervalRow(id, 1000, 0)));
  const route = arena.routes.bytes;
  t.ok(route > 0, 'all have one route');
  t.equal(arena.bytes - route, 3 * jobBytes(intervalRow(1, 1000, 0).job.length), 'as main counts it');
  for (const slot of slots) arena.remove(slot);
  t.equal(arena.bytes, 0);
});

t.test('the limit is the configured one, or a share of the memory', async (t) => {
  t.equal(memoryLimit(123), 123);
  t.ok(memoryLimit(0) > 0);
});
