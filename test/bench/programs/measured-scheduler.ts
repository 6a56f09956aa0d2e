import { composeScheduler } from '../../../src/scheduler-thread/compose.ts';
import type { Publishers } from '../../../src/scheduler-thread/service.ts';
import { Gauge } from './gauge.ts';

/** The scheduler thread, but for the gauge. */
const gauge = new Gauge('scheduler');
composeScheduler({
  entry: new URL('./measured-publisher.js', import.meta.url),
  publishers: measured,
});

function measured(pool: Publishers): Publishers {
  return {
    async publish(batch) {
      // The pool transfers the batch's own.
      const times = batch.times.slice();
      const answer = await pool.publish(batch);
      gauge.noteLateness(times, answer.writtenAt);
      return answer;
    },
    close: () => pool.close(),
  };
}
