import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { LATENESS_BOUNDS } from '../protocol/lateness.ts';
import { CountedHistogram } from './counted-histogram.ts';
import type { Metrics } from './job-service.ts';
import { DEFINITIONS, type MetricDefinition, type MetricsData, type Sample } from './metric-definitions.ts';
import { NO_TOTALS } from './scheduler-totals.ts';

const PREFIX = 'dalga_';

/** The metrics for Prometheus, made of what `read` tells at the moment of each scrape. */
export function createMetrics(read: () => MetricsData): Metrics {
  const registry = new Registry();
  const single = DEFINITIONS.map((definition) => expose(definition, registry));
  const lateness = new CountedHistogram(
    `${PREFIX}lateness_seconds`,
    'From the scheduled time to the write to the socket, of every message that was written',
    LATENESS_BOUNDS.map(toSeconds),
  );
  registry.registerMetric(lateness);
  // Their timers and observers do not keep the process alive.
  collectDefaultMetrics({ register: registry });
  return {
    contentType: registry.contentType,
    text() {
      const data = read();
      for (const update of single) update(data);
      const { counts, sum } = data.scheduler.lateness;
      lateness.set([...counts], toSeconds(sum));
      return registry.metrics();
    },
  };
}

/** What there is to say before this instance has asked for the table. */
export function startingData(memoryLimit: number): MetricsData {
  return {
    lease: 'starting',
    epoch: null,
    ready: false,
    watermarkAge: null,
    memoryLimit,
    mysqlConnected: false,
    mysqlReconnects: 0,
    writeBatches: 0,
    writeRequests: 0,
    scheduler: NO_TOTALS,
    events: { listeners: 0, dropped: 0 },
  };
}

/** @returns sets the metric to what the data say */
function expose(definition: MetricDefinition, registry: Registry): (data: MetricsData) => void {
  const { type, help, labels = [], read } = definition;
  const options = {
    name: `${PREFIX}${definition.name}`,
    help,
    labelNames: [...labels],
    registers: [registry],
  };
  const metric = type === 'counter' ? new Counter(options) : new Gauge(options);
  return (data) => {
    const value = read(data);
    // Without this a sample that is not told any more would stay as it was.
    metric.reset();
    if (value === null) metric.remove({});
    else for (const sample of typeof value === 'number' ? [{ value } satisfies Sample] : value) set(sample);
  };

  function set({ labels = {}, value }: Sample): void {
    metric.inc(labels, value);
  }
}

function toSeconds(ms: number): number {
  return ms / 1000;
}
