import { hash } from 'node:crypto';
import { JOB_START, type Position } from '../../database/list-statements.ts';
import { invalidParameter } from '../../errors.ts';
import { ROUTING_KEY_LIMIT } from '../../job/job.ts';

/*
 * A place in the list of jobs as a client has it: opaque, and checked, so that one which was cut or made up is told.
 *
 *   format | check   | id      | length | routing key | start of the job
 *   1 byte | 4 bytes | 8 bytes | 1 byte | length      | the rest
 */
const FORMAT = 1;
const CHECK = 1;
const ID = 5;
const LENGTH = 13;
const NAMES = 14;

export function formatCursor({ routingKey, jobStart, id }: Position): string {
  const bytes = Buffer.alloc(NAMES + routingKey.length + jobStart.length);
  bytes[0] = FORMAT;
  bytes.writeBigUInt64BE(BigInt(id), ID);
  bytes[LENGTH] = routingKey.length;
  bytes.set(routingKey, NAMES);
  bytes.set(jobStart, NAMES + routingKey.length);
  bytes.set(checkOf(bytes), CHECK);
  return bytes.toString('base64url');
}

/** @throws DalgaError invalid_parameter */
export function parseCursor(name: string, text: string): Position {
  const fault = () => invalidParameter(name, 'is not one that a page of GET /jobs gave as next');
  if (!/^[A-Za-z0-9_-]{19,700}$/.test(text)) throw fault();
  const bytes = Buffer.from(text, 'base64url');
  if (bytes[0] !== FORMAT || bytes.length < NAMES) throw fault();
  if (!checkOf(bytes).equals(bytes.subarray(CHECK, ID))) throw fault();
  const end = NAMES + bytes[LENGTH]!;
  const routingKey = bytes.subarray(NAMES, end);
  const jobStart = bytes.subarray(end);
  if (end > bytes.length || routingKey.length > ROUTING_KEY_LIMIT || jobStart.length > JOB_START)
    throw fault();
  return { routingKey, jobStart, id: Number(bytes.readBigUInt64BE(ID)) };
}

function checkOf(bytes: Buffer): Buffer {
  return hash('sha256', bytes.subarray(ID), 'buffer').subarray(0, ID - CHECK);
}
