import { invalidParameter } from '../../errors.ts';
import { JOB_LIMIT, ROUTING_KEY_LIMIT } from '../../job/job.ts';
import type { JobFilter } from '../../job/job-filter.ts';
import { checkName } from './job-key.ts';
import { boolean, choice, type ParameterType, string } from './parameter-types.ts';
import { TAG, TAG_LIMIT } from './parameters.ts';
import type { QueryValues } from './query.ts';

const name: ParameterType<string> = {
  text: (_name, text) => checkName(text, 'routing_key', ROUTING_KEY_LIMIT),
  json: () => {
    throw invalidParameter('routing_key', 'stands in the query string');
  },
};

/** The parameters that say which jobs are meant. An empty prefix would mean all: whoever sends one forgot to fill it in. */
export const filterTypes = {
  routing_key: name,
  routing_key_prefix: prefix(ROUTING_KEY_LIMIT),
  job_prefix: prefix(JOB_LIMIT),
  tag: string(TAG_LIMIT, TAG),
  kind: choice('interval', 'one_off', 'calendar', 'cron'),
  enabled: boolean,
} as const;

/** @throws DalgaError */
export function filterOf(values: QueryValues<typeof filterTypes>): JobFilter {
  const { routing_key, routing_key_prefix, job_prefix, tag, kind, enabled } = values;
  if (routing_key !== undefined && routing_key_prefix !== undefined) {
    throw invalidParameter('routing_key_prefix', 'and routing_key exclude each other');
  }
  return {
    routingKey: routing_key,
    routingKeyPrefix: routing_key_prefix,
    jobPrefix: job_prefix,
    tag,
    kind,
    enabled,
  };
}

function prefix(limit: number): ParameterType<string> {
  return string(limit, { match: /./s, rule: `1 to ${limit} bytes of UTF-8` });
}
