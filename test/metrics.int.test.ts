import t, { type Test } from 'tap';
import { freePorts } from '../src/quickstart/free-port.ts';
import { scrapeBalanced, scrapeUntil } from './helpers/balance.ts';
import { DalgaProcess, environment } from './helpers/dalga-process.ts';
import type { Exposition } from './helpers/exposition.ts';
import { startService } from './helpers/service.ts';

/** Asserts that no counter of ours is lower than it was. */
function noneFell(t: Test, before: Exposition, { samples }: Exposition): void {
  for (const [sample, value] of before.samples) {
    const name = sample.replace(/\{.*/, '');
    if (before.metrics.get(name)?.type === 'counter') t.ok(samples.get(sample)! >= value, sample);
  }
}

t.test('what /metrics tells of a few jobs', { timeout: 60_000 }, async (t) => {
  const service = await startService(t);
  const schedule = async (routingKey: string, job: string) => {
    const answer = await fetch(`${service.url}/jobs/${routingKey}/${job}?interval=1`, { method: 'PUT' });
    t.equal(answer.status, 201);
  };
  for (const job of ['1', '2', '3', '4', '5']) await schedule(service.queue, job);
  await schedule(service.broker.name('nobody'), '1');

  // Counters are as old as the last report: read until one comes that was made while nothing was on its way.
  const first = await scrapeUntil(
    t,
    service.url,
    (samples) =>
      samples.get('dalga_occurrences_confirmed_total')! >= 10 &&
      samples.get('dalga_occurrences_returned_total')! >= 2 &&
      samples.get('dalga_occurrences_in_flight') === 0,
  );
  const read = (name: string) => first.samples.get(`dalga_${name}`)!;

  const done = read('occurrences_confirmed_total') + read('occurrences_returned_total');
  t.equal(read('messages_dispatched_total'), done);
  t.equal(read('lateness_seconds_count'), done, 'the histogram has every write');
  t.equal(read('lateness_seconds_bucket{le="+Inf"}'), done);
  t.ok(
    read('lateness_seconds_sum') > 0 && read('lateness_seconds_sum') < done,
    'seconds, and no more than one each',
  );
  await service.consumer.take(read('occurrences_confirmed_total'));

  t.equal(read('jobs'), 6);
  t.equal(read('ready'), 1);
  t.equal(read('lease_state{state="owner"}'), 1);
  t.equal(read('epoch'), 1);
  t.ok(read('watermark_age_seconds') < 5);
  t.ok(read('jobs_memory_bytes') > 0 && read('jobs_memory_bytes') < read('jobs_memory_limit_bytes'));
  t.equal(read('connections{server="mysql"}'), 1);
  t.ok(read('connections{server="rabbitmq"}') >= 1);
  t.equal(read('reconnects_total{server="rabbitmq"}'), 0);
  t.equal(read('write_requests_total'), 6);
  t.ok(read('write_batches_total') >= 1 && read('write_batches_total') <= 6);

  const more = await scrapeUntil(
    t,
    service.url,
    (later) => later.get('dalga_occurrences_due_total')! > read('occurrences_due_total'),
  );
  noneFell(t, first, more);
});

t.test('an instance that loses the table and gets it back', { timeout: 60_000 }, async (t) => {
  const service = await startService(t, { DALGA_LEASE: '2s' });
  const { url, instance } = service;
  const put = await fetch(`${url}/jobs/${service.queue}/1?interval=1`, { method: 'PUT' });
  t.equal(put.status, 201);
  const confirmed = 'dalga_occurrences_confirmed_total';
  const owns = (samples: Exposition['samples']) => samples.get('dalga_lease_state{state="owner"}') === 1;
  const before = await scrapeUntil(t, url, (samples) => samples.get(confirmed)! >= 2);

  const [otherPort] = (await freePorts(1)) as [number];
  const other = new DalgaProcess(environment(service.settings, otherPort));
  t.teardown(() => other.kill());
  const otherUrl = `http://127.0.0.1:${otherPort}`;
  await other.logged('standby');
  const standby = await scrapeBalanced(t, otherUrl);
  t.equal(standby.samples.get('dalga_lease_state{state="standby"}'), 1);
  t.equal(standby.samples.get('dalga_connections{server="mysql"}'), 1);
  t.equal(standby.samples.get('dalga_ready'), 0);
  t.notOk(standby.samples.has('dalga_epoch') || standby.samples.has('dalga_watermark_age_seconds'));

  instance.process.child.kill('SIGSTOP');
  await other.ready(otherUrl);
  instance.process.child.kill('SIGCONT');
  await instance.process.logged('standby');
  const between = await scrapeBalanced(t, url);
  noneFell(t, before, between);
  t.equal(between.samples.get('dalga_jobs'), 0);
  t.notOk(between.samples.has('dalga_epoch'));
  t.equal((await scrapeBalanced(t, otherUrl)).samples.get('dalga_epoch'), 2);

  await other.stop();
  const again = await scrapeUntil(
    t,
    url,
    (samples) => owns(samples) && samples.get(confirmed)! > between.samples.get(confirmed)!,
  );
  noneFell(t, between, again);
  t.equal(again.samples.get('dalga_epoch'), 3);
  t.equal(again.samples.get('dalga_jobs'), 1);
});
