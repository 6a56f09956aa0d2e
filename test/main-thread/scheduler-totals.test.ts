import t from 'tap';
import { NO_TOTALS, SchedulerTotals, type Totals } from '../../src/main-thread/scheduler-totals.ts';
import { LATENESS_BOUNDS } from '../../src/protocol/lateness.ts';
import type { SchedulerCounters } from '../../src/protocol/main-scheduler.ts';

/** Counters that add up. */
function counters(changes: Partial<SchedulerCounters>, late: number): SchedulerCounters {
  const { handedOver: _, ...none } = NO_TOTALS;
  const counts = new Float64Array(LATENESS_BOUNDS.length + 1);
  counts[1] = late;
  return { ...none, ...changes, lateness: { counts, sum: late * 2 } };
}

function balance({ due, confirmed, returned, superseded, skipped, cancelled, ...rest }: Totals): number {
  return (
    due -
    confirmed -
    returned -
    superseded -
    skipped -
    cancelled -
    rest.handedOver -
    rest.inFlight -
    rest.heldBack
  );
}

t.test('a scheduler that starts anew lets no counter fall', async (t) => {
  const totals = new SchedulerTotals();
  t.strictSame(totals.read(), NO_TOTALS);

  const first = totals.begin();
  first(counters({ due: 5, confirmed: 5 }, 5));
  const last = {
    due: 20,
    confirmed: 10,
    returned: 1,
    rerouted: 1,
    superseded: 2,
    skipped: 0,
    cancelled: 3,
    inFlight: 3,
    heldBack: 1,
    catchUpsWaiting: 1,
  };
  const now = { jobs: 7, jobBytes: 8, dueNow: 9, connections: 2, reconnects: 1 };
  first(counters({ ...last, ...now, dispatched: 15, nacked: 4, lost: 5, recovered: 6 }, 12));
  t.match(totals.read(), { due: 20, jobs: 7, handedOver: 0 }, 'the last report counts');
  t.equal(balance(totals.read()), 0);

  totals.end();
  const between = totals.read();
  t.match(between, {
    due: 20,
    confirmed: 10,
    dispatched: 15,
    nacked: 4,
    lost: 5,
    recovered: 6,
    reconnects: 1,
  });
  t.match(between, { jobs: 0, jobBytes: 0, dueNow: 0, connections: 0, inFlight: 0, heldBack: 0 });
  t.equal(between.handedOver, 4, 'what was unsettled is the next owner’s');
  t.equal(balance(between), 0);

  first(counters({ due: 1000 }, 0));
  t.strictSame(totals.read(), between, 'a report that comes late counts for nothing');

  const second = totals.begin();
  t.strictSame(totals.read(), between, 'nothing falls before its first report');
  first(counters({ due: 1000 }, 0));
  second(counters({ due: 3, confirmed: 2, inFlight: 1, dispatched: 3, jobs: 7, recovered: 1 }, 2));
  const after = totals.read();
  t.match(after, {
    due: 23,
    confirmed: 12,
    dispatched: 18,
    inFlight: 1,
    recovered: 7,
    jobs: 7,
    handedOver: 4,
  });
  t.equal(after.lateness.counts[1], 14);
  t.equal(after.lateness.sum, 28);
  t.equal(balance(after), 0);

  totals.end();
  t.match(totals.read(), { due: 23, handedOver: 5 });
  t.equal(totals.read().lateness.counts[1], 14);
  t.equal(balance(totals.read()), 0);
});
