import type { JobRow, MessageOptions, Schedule } from './job.ts';
import type { NamedJob } from './named-job.ts';
import {
  checkRunsLeft,
  finish,
  haveSameTimes,
  isSame,
  planPost,
  planPut,
  plansAnew,
  runsLeftAt,
  type ScheduleRequest,
} from './plan.ts';

/** What a request says of the messages; null takes one away. */
export type MessageRequest = {
  readonly [Name in Exclude<keyof MessageOptions, 'expiration'>]?: MessageOptions[Name] | null | undefined;
} & { readonly expiration?: number | 'none' | null | undefined };

/** All that a PUT or POST may name; undefined where it named none, null where it takes away what is stored. */
export type JobRequest = ScheduleRequest & {
  readonly enabled?: boolean | undefined;
  readonly note?: string | null | undefined;
  /** Sorted, without repetitions. */
  readonly tags?: readonly string[] | null | undefined;
  readonly payload?: Uint8Array | null | undefined;
  readonly message?: MessageRequest | undefined;
  /** W3C trace context of the request. It goes with a change, and is none by itself. */
  readonly traceparent?: string | undefined;
};

/** A job that is not there yet. @param id its own from here on. @throws DalgaError */
export function createRow(named: NamedJob, request: JobRequest, stamp: number, id: number): JobRow {
  const { hash, routingKey, job } = named;
  const schedule = planPut(undefined, request, stamp, { id, hash });
  const enabled = request.enabled ?? true;
  const row = { id, version: 1, since: stamp, enabled, routingKey, job, schedule };
  const definition = definitionAfter({}, request);
  return { ...row, ...definition, ...traced(definition.message, request) };
}

/**
 * The row after a PUT: the stored one itself when all is equal. Whether the job is paused, and why, is no part of what
 * a service registers at each deploy: it stays unless it is named.
 *
 * @throws DalgaError
 */
export function replaceRow(stored: JobRow, hash: Uint8Array, request: JobRequest, stamp: number): JobRow {
  const schedule = planPut(stored.schedule, request, stamp, { id: stored.id, hash });
  const anew = schedule !== stored.schedule && !haveSameTimes(schedule, stored.schedule);
  return change(
    stored,
    { schedule, anew, ...definitionAfter({ note: stored.note }, request) },
    request,
    stamp,
  );
}

/** The row after a POST or PATCH: what is not named stays. @throws DalgaError */
export function changeRow(stored: JobRow, hash: Uint8Array, request: JobRequest, stamp: number): JobRow {
  // Of max_runs nothing is used up while it is paused.
  const since = stored.enabled ? stored.since : stamp;
  const schedule = planPost(stored.schedule, request, stamp, since, { id: stored.id, hash });
  const definition = definitionAfter(stored, request);
  return change(stored, { schedule, anew: plansAnew(request), ...definition }, request, stamp);
}

type Definition = Pick<JobRow, 'message' | 'payload' | 'tags' | 'note'>;

function change(
  stored: JobRow,
  changed: Definition & { readonly schedule: Schedule; readonly anew: boolean },
  request: JobRequest,
  stamp: number,
): JobRow {
  const { enabled = stored.enabled } = request;
  const { anew, ...definition } = changed;
  const toggled = enabled !== stored.enabled;
  const isEqual =
    changed.schedule === stored.schedule &&
    !toggled &&
    changed.note === stored.note &&
    isSame(changed.message, untraced(stored.message)) &&
    isSame(changed.tags, stored.tags) &&
    haveSameBytes(changed.payload, stored.payload);
  if (isEqual) return stored;
  const { id, routingKey, job } = stored;
  const schedule = toggled && !anew ? toggle(stored, enabled, changed.schedule, stamp) : changed.schedule;
  const since = toggled || anew ? stamp : stored.since;
  const row = { id, version: stored.version + 1, since, enabled, routingKey, job, ...definition, schedule };
  return { ...row, ...traced(definition.message, request) };
}

function traced(message: MessageOptions | undefined, { traceparent }: JobRequest): Pick<JobRow, 'message'> {
  return traceparent === undefined ? {} : { message: { ...message, traceparent } };
}

function untraced(message: MessageOptions | undefined): MessageOptions | undefined {
  if (message?.traceparent === undefined) return message;
  const { traceparent: _old, ...rest } = message;
  return Object.keys(rest).length === 0 ? undefined : rest;
}

/**
 * The schedule of a job that is paused, or goes on, at its phase. What it would have run while it was paused does not
 * count among its max_runs; one that was paused while its last run waited for RabbitMQ has none left, and does not go
 * on without a new max_runs. A one-off whose time came meanwhile runs when it goes on.
 */
function toggle(stored: JobRow, enabled: boolean, schedule: Schedule, stamp: number): Schedule {
  const { id, since } = stored;
  if (!enabled) {
    if (schedule.rules?.maxRuns === undefined) return schedule;
    const { endsAt: _end, ...rules } = schedule.rules;
    return { ...schedule, rules: { ...rules, runsLeft: runsLeftAt(schedule, since, stamp, id) } };
  }
  const { runsLeft } = schedule.rules ?? {};
  if (runsLeft !== undefined) checkRunsLeft(runsLeft);
  const goesOn =
    schedule.kind === 'one_off' ? { ...schedule, firstRun: Math.max(schedule.firstRun, stamp) } : schedule;
  return finish(goesOn, stamp, { id });
}

/** What a request leaves of all that is no schedule. */
function definitionAfter(stored: Partial<Definition>, request: JobRequest): Definition {
  const { note = stored.note, tags = stored.tags, payload = stored.payload } = request;
  const message = messageAfter(stored.message, request.message);
  // No key is undefined: a row is posted and compared as it is.
  const definition: { -readonly [Key in keyof Definition]: Definition[Key] } = {};
  if (message !== undefined) definition.message = message;
  if (payload !== undefined && payload !== null) definition.payload = payload;
  if (tags !== undefined && tags !== null && tags.length > 0) definition.tags = tags;
  if (note !== undefined && note !== null && note !== '') definition.note = note;
  return definition;
}

function messageAfter(
  stored: MessageOptions | undefined,
  request: MessageRequest | undefined,
): MessageOptions | undefined {
  const before = untraced(stored);
  if (request === undefined) return before;
  const message: Record<string, unknown> = { ...before };
  for (const [name, value] of Object.entries(request)) {
    if (value === null) delete message[name];
    else if (value !== undefined) message[name] = value === 'none' && name === 'expiration' ? null : value;
  }
  return Object.keys(message).length === 0 ? undefined : message;
}

function haveSameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return Buffer.compare(a, b) === 0;
}
