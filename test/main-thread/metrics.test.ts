import { readFileSync } from 'node:fs';
import t from 'tap';
import type { MetricsData } from '../../src/main-thread/metric-definitions.ts';
import { createMetrics, startingData } from '../../src/main-thread/metrics.ts';
import { NO_TOTALS } from '../../src/main-thread/scheduler-totals.ts';
import { LATENESS_BOUNDS } from '../../src/protocol/lateness.ts';
import { type Exposition, parseExposition } from '../helpers/exposition.ts';

const OWNER: MetricsData = {
  lease: 'owner',
  epoch: 7,
  ready: true,
  watermarkAge: 250,
  memoryLimit: 5000,
  mysqlConnected: true,
  mysqlReconnects: 2,
  writeBatches: 3,
  writeRequests: 30,
  scheduler: {
    ...NO_TOTALS,
    jobs: 11,
    dueNow: 12,
    jobBytes: 13,
    due: 100,
    dispatched: 101,
    confirmed: 50,
    returned: 20,
    rerouted: 22,
    superseded: 10,
    skipped: 25,
    cancelled: 8,
    handedOver: 2,
    inFlight: 6,
    heldBack: 4,
    catchUpsWaiting: 6,
    recovered: 14,
    nacked: 15,
    lost: 16,
    connections: 17,
    reconnects: 18,
    spans: { openRuns: 19, openBackfills: 20, runs: 21, backfilled: 22, returned: 23 },
  },
  events: { listeners: 19, dropped: 21 },
};

async function expose(data: MetricsData): Promise<Exposition> {
  return parseExposition(await createMetrics(() => data).text());
}

t.test('what is given is shown', async (t) => {
  const { samples } = await expose(OWNER);
  const own = [...samples].filter(
    ([name]) => name.startsWith('dalga_') && !name.startsWith('dalga_lateness_'),
  );
  t.strictSame(Object.fromEntries(own), {
    dalga_ready: 1,
    'dalga_lease_state{state="starting"}': 0,
    'dalga_lease_state{state="standby"}': 0,
    'dalga_lease_state{state="owner"}': 1,
    dalga_epoch: 7,
    dalga_watermark_age_seconds: 0.25,
    dalga_jobs: 11,
    dalga_jobs_due: 12,
    dalga_jobs_memory_bytes: 13,
    dalga_jobs_memory_limit_bytes: 5000,
    dalga_occurrences_due_total: 100,
    dalga_occurrences_confirmed_total: 50,
    dalga_occurrences_returned_total: 20,
    dalga_occurrences_superseded_total: 10,
    dalga_occurrences_skipped_total: 25,
    dalga_occurrences_cancelled_total: 8,
    dalga_occurrences_handed_over_total: 2,
    dalga_occurrences_in_flight: 6,
    dalga_occurrences_held_back: 4,
    dalga_catch_ups_waiting: 6,
    dalga_occurrences_recovered_total: 14,
    dalga_messages_dispatched_total: 101,
    dalga_messages_nacked_total: 15,
    dalga_messages_lost_total: 16,
    dalga_messages_rerouted_total: 22,
    'dalga_connections{server="mysql"}': 1,
    'dalga_connections{server="rabbitmq"}': 17,
    'dalga_reconnects_total{server="mysql"}': 2,
    'dalga_reconnects_total{server="rabbitmq"}': 18,
    'dalga_backfills_open{kind="run"}': 19,
    'dalga_backfills_open{kind="backfill"}': 20,
    'dalga_backfill_messages_total{kind="run"}': 21,
    'dalga_backfill_messages_total{kind="backfill"}': 22,
    dalga_backfill_messages_returned_total: 23,
    dalga_write_requests_total: 30,
    dalga_write_batches_total: 3,
    dalga_event_listeners: 19,
    dalga_events_dropped_total: 21,
  });
  t.ok(
    samples.has('process_start_time_seconds') && samples.has('nodejs_eventloop_lag_seconds'),
    "Node's own",
  );
});

t.test('each scrape shows its own moment', async (t) => {
  let data = OWNER;
  const metrics = createMetrics(() => data);
  t.equal(metrics.contentType, 'text/plain; version=0.0.4; charset=utf-8');
  t.equal(await samplesOf(metrics.text(), 'dalga_epoch'), 7);
  t.equal(await samplesOf(metrics.text(), 'dalga_occurrences_due_total'), 100, 'not added twice');
  data = { ...startingData(5000), lease: 'standby' };
  t.equal(await samplesOf(metrics.text(), 'dalga_epoch'), undefined, 'a standby has none');
  t.equal(await samplesOf(metrics.text(), 'dalga_watermark_age_seconds'), undefined);
  t.equal(await samplesOf(metrics.text(), 'dalga_lease_state{state="standby"}'), 1);
  t.equal(await samplesOf(metrics.text(), 'dalga_lease_state{state="owner"}'), 0);
  data = OWNER;
  t.equal(await samplesOf(metrics.text(), 'dalga_epoch'), 7);
});

t.test('the histogram', async (t) => {
  const counts = new Float64Array(LATENESS_BOUNDS.length + 1);
  counts[0] = 5;
  counts[2] = 3;
  counts[LATENESS_BOUNDS.length] = 1;
  const { samples, metrics } = await expose({
    ...OWNER,
    scheduler: { ...OWNER.scheduler, lateness: { counts, sum: 400_500 } },
  });
  t.equal(metrics.get('dalga_lateness_seconds')?.type, 'histogram');
  const bucket = (bound: string) => samples.get(`dalga_lateness_seconds_bucket{le="${bound}"}`);
  t.strictSame(['0.001', '0.002', '0.005', '0.01', '300', '+Inf'].map(bucket), [5, 5, 8, 8, 8, 9]);
  t.equal(samples.get('dalga_lateness_seconds_count'), 9);
  t.equal(samples.get('dalga_lateness_seconds_sum'), 400.5);
  const buckets = [...samples.keys()].filter((name) => name.startsWith('dalga_lateness_seconds_bucket'));
  t.equal(buckets.length, LATENESS_BOUNDS.length + 1);
});

t.test("the README's table is that of the metrics", async (t) => {
  const { metrics, samples } = await expose(OWNER);
  const exposed = [...metrics]
    .filter(([name]) => name.startsWith('dalga_'))
    .map(([name, { type, help }]) => [name, labelOf(name, samples), type, help]);
  const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');
  const rows = readme.split('\n').flatMap((line) => {
    const [, name, label, type, help] =
      /^\| `(dalga_\w+)`(?: by `(\w+)`)? \| (\w+) \| (.*) \|$/.exec(line) ?? [];
    return name === undefined ? [] : [[name, label, type, help]];
  });
  t.strictSame(rows, exposed);
});

t.test('the names follow the conventions, and the alerts use what there is', async (t) => {
  const { metrics } = await expose(OWNER);
  for (const [name, { type, help }] of metrics) {
    if (!name.startsWith('dalga_')) continue;
    t.equal(name.endsWith('_total'), type === 'counter', name);
    t.ok(help !== '' && !help.endsWith('.') && !help.includes('|'), `the help of ${name} fits into a table`);
  }
  const rules = readFileSync(new URL('../../../config/prometheus-rules.yaml', import.meta.url), 'utf8');
  const used = new Set(rules.match(/\bdalga_\w+/g));
  t.ok(used.size >= 6);
  for (const name of used) t.ok(metrics.has(name.replace(/_bucket$/, '')), name);
});

async function samplesOf(text: Promise<string>, name: string): Promise<number | undefined> {
  return parseExposition(await text).samples.get(name);
}

function labelOf(name: string, samples: Exposition['samples']): string | undefined {
  for (const sample of samples.keys()) {
    if (sample.startsWith(`${name}{`)) return /\{(\w+)=/.exec(sample)?.[1];
  }
  return undefined;
}
