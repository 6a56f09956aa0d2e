import { invalidParameter } from '../../errors.ts';
import { JOB_LIMIT, type JobKey, ROUTING_KEY_LIMIT } from '../../job/job.ts';
import { decodePercent } from './request-target.ts';

/**
 * Reads the job's name from a path `/jobs/{routing_key}/{job}` as it came. Each segment is decoded once, after
 * the path was split, so that a %2F belongs to the name.
 *
 * @throws DalgaError invalid_parameter, naming routing_key or job
 */
export function readJobKey(path: string): JobKey {
  const [, , routingKey = '', job = ''] = path.split('/');
  return {
    routingKey: readSegment(routingKey, 'routing_key', ROUTING_KEY_LIMIT),
    job: readSegment(job, 'job', JOB_LIMIT),
  };
}

function readSegment(segment: string, parameter: 'routing_key' | 'job', limit: number): string {
  if (segment.includes('#')) throw invalidParameter(parameter, 'contains a #, which must be written as %23');
  return checkName(decodePercent(segment, parameter), parameter, limit);
}

/** A name that can be a job's. @param limit bytes. @throws DalgaError */
export function checkName(text: string, parameter: 'routing_key' | 'job', limit: number): string {
  if (text === '') throw invalidParameter(parameter, `is empty: ${lengthRule(limit)}`);
  // Clients and proxies take these for steps in the tree of paths, so such a job could not be reached reliably.
  if (text === '.' || text === '..') {
    throw invalidParameter(
      parameter,
      `must not be "${text}", however it is encoded: in a URL that is a step in the path, which clients and proxies take out`,
    );
  }
  const length = Buffer.byteLength(text);
  if (length > limit) throw invalidParameter(parameter, `has ${length} bytes: ${lengthRule(limit)}`);
  return text;
}

function lengthRule(limit: number): string {
  return `it must have 1 to ${limit} bytes of UTF-8`;
}
