import type { SchedulerPort } from '../../src/main-thread/scheduler-client.ts';
import type { SchedulerReport } from '../../src/protocol/main-scheduler.ts';
import { Outcome } from '../../src/protocol/scheduler-publisher.ts';
import type { Breakage } from './breakage.ts';

/** A DELETE is answered when the scheduler was told, not when it has taken that in. */
export function deleteAnsweredEarly(): Breakage {
  return {
    mainPort: (port: SchedulerPort): SchedulerPort => {
      let listener: (report: SchedulerReport) => void = () => {};
      return {
        send: (command, transfer) => {
          port.send(command, transfer);
          if (command.type !== 'jobs.changed' || !command.reply) return;
          const { number } = command;
          // A moment later, when the request waits for it.
          void Promise.resolve()
            .then(() => {})
            .then(() => {})
            .then(() => {})
            .then(() => listener({ type: 'changes.acknowledged', number }));
        },
        listen: (next) => {
          listener = next;
          port.listen(next);
        },
        close: () => port.close(),
      };
    },
  };
}

/** What was written counts as confirmed. */
export function settleBeforeConfirm(): Breakage {
  return {
    publishers: (publishers) => ({
      publish: async (batch) => {
        const answer = await publishers.publish(batch);
        const outcomes = answer.outcomes.map((outcome) =>
          outcome === Outcome.pending || outcome === Outcome.lost ? Outcome.confirmed : outcome,
        );
        return { ...answer, outcomes };
      },
      close: () => publishers.close(),
    }),
  };
}

/** A row of the snapshot counts, whatever changes of the job have come before it. */
export function loaderWithoutVersions(): Breakage {
  return {
    openTable: (open) => async (afterId) => {
      const snapshot = await open(afterId);
      return {
        ...snapshot,
        read: (onRow) => snapshot.read((row) => onRow({ ...row, version: row.version + 1_000_000 })),
      };
    },
  };
}

/** A job that is removed before the load has come to it is not remembered as removed. */
export function loaderWithoutTombstones(): Breakage {
  const seen = new Set<number>();
  let loading = true;
  return {
    openTable: (open) => async (afterId) => {
      const snapshot = await open(afterId);
      return {
        ...snapshot,
        read: async (onRow) => {
          await snapshot.read((row) => {
            seen.add(row.id);
            onRow(row);
          });
          loading = false;
        },
      };
    },
    threadPort: (port) => ({
      ...port,
      send: (report, transfer) => port.send(report, transfer),
      listen: (listener) =>
        port.listen((command) => {
          if (command.type !== 'jobs.changed' || !loading) {
            listener(command);
            return;
          }
          const changes = command.changes.filter((change) => change.op !== 'remove' || seen.has(change.id));
          for (const change of command.changes) if (change.op === 'upsert') seen.add(change.row.id);
          listener({ ...command, changes });
        }),
    }),
  };
}
