import type { JobRow } from '../job/job.ts';
import { formatExact } from '../job/rfc3339.ts';
import { Event, type HistoryEntry, type JobHistory, Kind, type KindCode } from '../protocol/history.ts';

/** In words, for a person: what a job does next and why, and what became of its last run. */
export function explainJob(row: JobRow, history: JobHistory, now: number): string {
  return [...explainState(row, history, now), ...explainWaiting(history), ...explainLast(history)].join(' ');
}

function explainState({ enabled, note, since }: JobRow, history: JobHistory, now: number): string[] {
  if (!enabled) {
    const remark = note === undefined ? '' : ` (${note})`;
    return [`It is paused since ${formatExact(since)}${remark}: it does not run until it is enabled again.`];
  }
  if (!history.known) {
    return [
      history.loading
        ? 'The table is still being loaded, and this job was not reached yet.'
        : 'The scheduler does not have this job: it has just ended, or was just stored.',
    ];
  }
  const { next } = history;
  const waits = history.missed !== null || history.flights.length > 0;
  if (next === null) return waits ? [] : ['It has no run to come.'];
  if (next > now) return [`Its next run is at ${formatExact(next)}.`];
  const cause = history.connections === 0 ? 'RabbitMQ cannot be reached' : 'others are due before it';
  return [`Its run of ${formatExact(next)} is due, and was not taken yet: ${cause}.`];
}

function explainWaiting(history: JobHistory): string[] {
  const { missed, catchUpsWaiting } = history;
  const rate = `DALGA_CATCHUP_RATE lets so many go a second, and ${catchUpsWaiting} wait`;
  const told = history.flights.map(({ time, sent, paced }) => {
    const run = `Its run of ${formatExact(time)}`;
    if (sent) return `${run} is with RabbitMQ, and not confirmed yet.`;
    return `${run} waits: ${paced ? rate : obstacleOf(history)}.`;
  });
  if (missed !== null)
    told.push(`What it missed since ${formatExact(missed)} waits for its catch-up: ${rate}.`);
  return told;
}

function obstacleOf({ connections, usable, exchange, refused, failures }: JobHistory): string {
  if (connections === 0) return 'RabbitMQ cannot be reached';
  if (!usable) return `exchange '${exchange}' cannot be published to`;
  if (refused) return 'RabbitMQ refuses the messages of its routing key';
  if (failures > 0) return `the last ${failures} tries of its routing key failed`;
  return 'its routing key has as much unconfirmed as it may have';
}

function explainLast({ known, entries }: JobHistory): string[] {
  const [last] = entries;
  if (last !== undefined) return [tellOf(last)];
  return known ? ['Nothing is remembered of its last runs: only the latest outcomes of all jobs are.'] : [];
}

/** By kind, to be followed by a time. */
const RUNS: Readonly<Record<KindCode, string>> = {
  0: 'run of',
  1: 'run by hand of',
  2: 'backfilled run of',
};

function tellOf({ event, kind, time, sentAt, at, count }: HistoryEntry): string {
  const run = `${RUNS[kind]} ${formatExact(time)}`;
  const late =
    sentAt === 0 || kind === Kind.backfill
      ? ''
      : `, ${Math.max(0, Math.round(sentAt - time))} ms after its time`;
  const missed = count > 0 ? `, and stands for ${count} that were missed` : '';
  switch (event) {
    case Event.published:
      return `Its ${run} was published${late}${missed}.`;
    case Event.returned:
      return `Its ${run} was published${late}${missed}, and RabbitMQ gave it back: no queue takes its routing key.`;
    case Event.rerouted:
      return `Its ${run} was published${late}${missed}, and RabbitMQ gave it back, since no queue takes its routing key: it went to where unroutable messages go.`;
    case Event.nacked:
      return `RabbitMQ refused its ${run} at ${formatExact(at)}: it is tried again.`;
    case Event.lost:
      return `The connection was lost before its ${run} was confirmed, at ${formatExact(at)}: it is sent again, and may come twice.`;
    case Event.unsent:
      return `Its ${run} could not be sent at ${formatExact(at)}: it is tried again.`;
    case Event.heldBack:
      return `Its ${run} was held back when it was due.`;
    case Event.superseded:
      return `Its ${run} was superseded by a later one.`;
    case Event.skipped:
      return `Its ${run} was missed, and dropped by its misfire rule${count > 1 ? `, with ${count - 1} later ones` : ''}.`;
    case Event.cancelled:
      return `Its ${run} was cancelled by a change of the job at ${formatExact(at)}.`;
  }
}

/** As the API names them. */
export const KIND_NAMES = ['scheduled', 'run', 'backfill'] as const;

/** As the API names them. */
export const EVENT_NAMES = [
  'published',
  'returned',
  'nacked',
  'lost',
  'unsent',
  'held_back',
  'superseded',
  'skipped',
  'cancelled',
  'rerouted',
] as const;
