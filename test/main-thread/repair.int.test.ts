import t from 'tap';
import { decodeExceptions, encodeExceptions } from '../../src/job/exceptions.ts';
import { freePorts } from '../../src/quickstart/free-port.ts';
import { DalgaProcess, environment } from '../helpers/dalga-process.ts';
import { scheduledAt, startService } from '../helpers/service.ts';

t.test('a watermark ahead of the clock is refused, and reset', async (t) => {
  const service = await startService(t);
  const job = `${service.url}/jobs/${service.queue}/hourly`;
  const phase = Date.now() - 1_000_000_000;
  const put = await fetch(`${job}?interval=3600&first_run=${new Date(phase).toISOString()}`, {
    method: 'PUT',
  });
  t.equal(put.status, 201);
  t.equal(await service.instance.process.stop(), 0);

  const connection = await service.connect();
  t.teardown(() => connection.end());
  const state = async () => {
    const [rows] = await connection.query('SELECT epoch, owner, watermark, stamp, tag FROM dalga_state');
    return (rows as { epoch: number; owner: string; watermark: number; stamp: number; tag: string }[])[0]!;
  };
  const ahead = Date.now() + 7_200_000;
  // A catch-up that broke off is told from there.
  const caughtUp = { origin: ahead - 1000, untils: [ahead], throughs: [ahead + 1000] };
  const one = { ids: Float64Array.of(4711), times: Float64Array.of(phase), behind: Float64Array.of(2) };
  const exceptions = Buffer.from(encodeExceptions({ ...one, caughtUp }));
  await connection.query('UPDATE dalga_state SET watermark = ?, stamp = ?, exceptions = ?', [
    ...[ahead, ahead, exceptions],
  ]);
  const run = async (...args: string[]) => {
    const process = new DalgaProcess(environment(service.settings, service.httpPort), args);
    const code = await process.exited;
    return { code, stderr: process.stderr, stdout: process.log.map(({ msg }) => msg).join('\n') };
  };

  const refused = await run();
  t.equal(refused.code, 2);
  const shown = `${new Date(ahead).toISOString().slice(0, 19)}Z`;
  t.equal(refused.stderr.trim().split('\n').length, 1, 'in one line');
  t.match(refused.stderr, /^dalga: the watermark of table 'dalga' is .*-reset-watermark TIME/);
  t.ok(refused.stderr.includes(shown));
  t.match(
    await state(),
    { owner: null, watermark: ahead },
    'the lease is released, and nothing else changed',
  );

  for (const [time, rule] of [
    ['yesterday', /-reset-watermark must be an RFC 3339 time/],
    [new Date(ahead).toISOString(), /-reset-watermark must not be ahead of this machine's clock/],
  ] as const) {
    const wrong = await run('-reset-watermark', time);
    t.equal(wrong.code, 2);
    t.match(wrong.stderr, rule);
  }
  t.equal((await state()).watermark, ahead);

  // A whole second, before the job's last time: that one is to run again.
  const last = phase + Math.floor((Date.now() - phase) / 3_600_000) * 3_600_000;
  const time = Math.floor((last - 1000) / 1000) * 1000;
  const reset = await run(`-reset-watermark=${new Date(time).toISOString()}`);
  t.equal(reset.code, 0, reset.stderr);
  t.match(reset.stdout, /the watermark of table dalga is .*\ndalga: 1 jobs were changed after that time/);
  t.match(await state(), { owner: null, watermark: time, stamp: time });
  const [kept] = await connection.query('SELECT exceptions FROM dalga_state');
  t.same(decodeExceptions((kept as { exceptions: Buffer }[])[0]!.exceptions), {
    ...one,
    caughtUp: null,
    paced: null,
  });

  // The job was changed after that time, so it owes nothing from before.
  await connection.query('UPDATE dalga SET since = ?', [time - 1]);
  const { tag } = await state();
  const renewed = await run('-new-tag');
  t.equal(renewed.code, 0);
  t.not((await state()).tag, tag);
  await service.start();
  const message = await service.consumer.next();
  t.equal(scheduledAt(message), last, 'what was scheduled since then runs again');
  t.equal(message.properties.messageId.slice(0, 4), (await state()).tag);
});

t.test('a repair is refused while an instance owns the table', async (t) => {
  const service = await startService(t, { DALGA_LEASE: '1s' });
  const [port] = (await freePorts(1)) as [number];
  const process = new DalgaProcess(environment(service.settings, port), ['-new-tag']);
  t.equal(await process.exited, 2);
  t.match(process.stderr, /is owned by another instance, .* which runs; stop it, then run this again/);
});
