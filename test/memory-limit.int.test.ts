import t from 'tap';
import { DalgaProcess, environment } from './helpers/dalga-process.ts';
import { startService } from './helpers/service.ts';

const JOBS = 200_000;

t.test('a start with more jobs than fit says how much they need', async (t) => {
  const service = await startService(t);
  t.equal(await service.instance.process.stop(), 0);
  const connection = await service.connect();
  t.teardown(() => connection.end());
  // As the API would have stored them; the key's hash only has to be unique.
  await connection.query(
    `INSERT INTO dalga (id, key_hash, routing_key, job, version, since, enabled, kind, interval_ms, first_run, anchored)
     SELECT seq, UNHEX(MD5(seq)), 'none', CONCAT('https://feeds.example/', seq), 1, 0, 1, 0, 86400000, 4102444800000, 0
     FROM seq_1_to_${JOBS}`,
  );
  const env = environment(service.settings, service.httpPort);
  const process = new DalgaProcess({ ...env, DALGA_MEMORY_LIMIT: '16M' });
  t.equal(await process.exited, 2);
  const [, needed] =
    /need about (\d+) MiB of memory, and DALGA_MEMORY_LIMIT allows 16 MiB/.exec(process.stderr) ?? [];
  t.ok(needed !== undefined, process.stderr);

  const enough = new DalgaProcess({ ...env, DALGA_MEMORY_LIMIT: `${needed}M` });
  await enough.ready(service.url);
  t.pass('what it says is enough');
  t.equal(await enough.stop(), 0);
});

t.test('a row that this version does not know ends the start with a message', async (t) => {
  const service = await startService(t);
  t.equal((await fetch(`${service.url}/jobs/${service.queue}/x?interval=60`, { method: 'PUT' })).status, 201);
  t.equal(await service.instance.process.stop(), 0);
  const connection = await service.connect();
  t.teardown(() => connection.end());
  await connection.query('UPDATE dalga SET kind = 9');
  const process = new DalgaProcess(environment(service.settings, service.httpPort));
  t.equal(await process.exited, 2);
  t.match(
    process.stderr,
    /the table cannot be loaded: job 1 is of a kind \(9\) that this version does not know/,
  );
});
