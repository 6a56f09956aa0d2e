import type { Clock } from '../../clock.ts';
import { DalgaError, invalidParameter } from '../../errors.ts';
import type { JobRequest } from '../../job/change-row.ts';
import { type AddedJobs, planAdded } from '../../job/expected-runs.ts';
import { ROUTING_KEY_LIMIT } from '../../job/job.ts';
import { nearest } from '../../nearest.ts';
import type { ForecastRange } from '../../protocol/forecast.ts';
import { type Body, parseObject } from './body.ts';
import { checkMember } from './bulk-job.ts';
import { integer, time } from './parameter-types.ts';
import { readParameterObject, unknownParameter } from './parameters.ts';
import { forEachPair, shorten } from './request-target.ts';

export const SCHEDULES_LIMIT = 100;
export const ADDED_LIMIT = 100_000_000;
/** What max_runs may be in all, where the end is found run by run. */
const RUNS_LIMIT = 20_000;
/** Steps of a forecast. */
export const STEPS_LIMIT = 1000;
/** s: of a forecast that says nothing else, an hour by minutes. */
const DEFAULT_STEP = 60;
const DEFAULT_STEPS = 60;

export const rangeTypes = { from: time, to: time, step: integer(1, 86_400 * 366) } as const;
const count = integer(1, ADDED_LIMIT);

type RangeValues = { readonly from?: number; readonly to?: number; readonly step?: number };

/** @param now Unix ms. @throws DalgaError */
export function rangeOf(
  { from: asked, to: end, step: seconds = DEFAULT_STEP }: RangeValues,
  now: number,
): ForecastRange {
  const from = asked ?? Math.floor(now);
  const step = seconds * 1000;
  const to = end ?? from + DEFAULT_STEPS * step;
  if (to <= from) throw invalidParameter('to', 'must be after from');
  if (to - from > STEPS_LIMIT * step)
    throw invalidParameter('step', `must be longer: there are at most ${STEPS_LIMIT} steps`);
  return { from, to, step };
}

/** What POST /forecast asks: the range, and the jobs that are not stored. */
export type ForecastRequest = {
  readonly range: ForecastRange;
  /** Unix ms: when the jobs are taken to be stored. */
  readonly now: number;
  readonly added: readonly AddedJobs[];
};

/** @throws DalgaError that names the member, such as `schedules[2].interval`, and the rule */
export async function readForecastRequest(
  query: string,
  body: Body | undefined,
  clock: Clock,
): Promise<ForecastRequest> {
  forEachPair(query, (name) => {
    throw unknownParameter(name, 'POST /forecast takes its parameters in a JSON body alone');
  });
  if (body === undefined) throw invalidParameter('schedules', 'is required, in a JSON body');
  const members = parseObject(body.bytes, 'the body') as Record<string, unknown>;
  const range: { -readonly [Name in keyof RangeValues]: number } = {};
  for (const [name, value] of Object.entries(members)) {
    if (name === 'schedules') continue;
    if (!Object.hasOwn(rangeTypes, name)) throw unknown(name);
    range[name as keyof typeof rangeTypes] = rangeTypes[name as keyof typeof rangeTypes].json(name, value);
  }
  const now = Math.floor(clock.now());
  return { range: rangeOf(range, now), now, added: await readSchedules(members.schedules, now) };
}

async function readSchedules(value: unknown, now: number): Promise<AddedJobs[]> {
  if (value === undefined) throw invalidParameter('schedules', 'is required');
  if (!Array.isArray(value) || value.length === 0 || value.length > SCHEDULES_LIMIT) {
    throw invalidParameter('schedules', `must be a list of 1 to ${SCHEDULES_LIMIT} objects`);
  }
  const added: AddedJobs[] = [];
  let counted = 0;
  for (const [index, member] of value.entries()) {
    try {
      const { routingKey, count: jobs, request } = readSchedule(member);
      // Its end is found by going through its runs.
      if (request.cron !== undefined || request.exclude != null) counted += request.maxRuns ?? 0;
      if (counted > RUNS_LIMIT) {
        throw invalidParameter(
          'max_runs',
          `is too high: at most ${RUNS_LIMIT} in all, of cron and of exclude`,
        );
      }
      added.push(planAdded(routingKey, jobs, request, now));
    } catch (error) {
      throw error instanceof DalgaError ? within(`schedules[${index}]`, error) : error;
    }
    // Each may take a while: other requests have their turn.
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  return added;
}

function readSchedule(member: unknown): { routingKey: string; count: number; request: JobRequest } {
  if (typeof member !== 'object' || member === null || Array.isArray(member)) {
    throw new DalgaError('invalid_parameter', 'must be an object');
  }
  const { routing_key, count: asked, ...parameters } = member as Record<string, unknown>;
  const routingKey = checkMember('routing_key', routing_key, ROUTING_KEY_LIMIT);
  const jobs = asked === undefined ? 1 : count.json('count', asked);
  return {
    routingKey,
    count: jobs,
    request: readParameterObject('beside routing_key and count a schedule', parameters),
  };
}

/** The refusal of a member of the object at `path`. */
function within(path: string, { code, parameter, message }: DalgaError): DalgaError {
  const detail =
    parameter !== undefined && message.startsWith(parameter) ? `${path}.${message}` : `${path} ${message}`;
  return new DalgaError(code, detail, { parameter: parameter === undefined ? path : `${path}.${parameter}` });
}

function unknown(name: string): DalgaError {
  const names = [...Object.keys(rangeTypes), 'schedules'];
  const meant = nearest(shorten(name).toLowerCase(), names);
  const rule = meant === undefined ? `POST /forecast takes ${names.join(', ')}` : `did you mean ${meant}?`;
  return unknownParameter(name, rule);
}
