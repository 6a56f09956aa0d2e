import { DalgaError } from '../errors.ts';

/** Bytes of a job's headers as an AMQP field table: amqplib encodes a message's into 64 KiB, Dalga's own among them. */
export const HEADERS_LIMIT = 65_000;

/** Bytes of a name: AMQP's shortstr. */
const NAME_LIMIT = 255;
const DEPTH_LIMIT = 16;

/**
 * Checks headers for what amqplib or the broker would refuse: such a message would close the channel for all others.
 * JSON's types become AMQP's: a string, a boolean, a number (an integer where it is whole), a table, an array, void.
 *
 * @throws DalgaError invalid_parameter
 */
export function checkHeaders(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid('must be a JSON object');
  for (const name of Object.keys(value)) {
    // RabbitMQ takes these for further routing keys, and closes the channel when they are anything else.
    if (/^b?cc$/i.test(name)) throw invalid(`must not have ${name}, which RabbitMQ takes for routing keys`);
    if (/^x-dalga-/i.test(name))
      throw invalid(`must not have ${name}: names beginning with x-dalga- are Dalga's own`);
  }
  const bytes = tableBytes(value, 1);
  if (bytes > HEADERS_LIMIT) throw invalid(`take ${bytes} bytes: at most ${HEADERS_LIMIT} as an AMQP table`);
  return value as Readonly<Record<string, unknown>>;
}

function tableBytes(table: object, depth: number): number {
  if (depth > DEPTH_LIMIT) throw invalid(`must not be nested deeper than ${DEPTH_LIMIT} objects or lists`);
  if (Array.isArray(table)) return table.reduce<number>((sum, value) => sum + valueBytes(value, depth), 4);
  let bytes = 4;
  for (const [name, value] of Object.entries(table)) {
    const length = Buffer.byteLength(name);
    if (length > NAME_LIMIT) throw invalid(`must have names of at most ${NAME_LIMIT} bytes`);
    // amqplib takes it for a type of its own.
    if (name === '!') throw invalid('must not have a name that is only "!"');
    bytes += 1 + length + valueBytes(value, depth);
  }
  return bytes;
}

/** With the byte that tells the type. */
function valueBytes(value: unknown, depth: number): number {
  switch (typeof value) {
    case 'string':
      return 5 + Buffer.byteLength(value);
    case 'number':
      // JSON.parse has rounded it, or made it infinite: what comes out would not be what was given.
      if (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value))) {
        throw invalid('must not have a number that JSON.parse changes: give it as a string');
      }
      return 9;
    case 'boolean':
      return 2;
    default:
      return value === null ? 1 : 1 + tableBytes(value as object, depth + 1);
  }
}

function invalid(rule: string): DalgaError {
  return new DalgaError('invalid_parameter', `headers ${rule}`, { parameter: 'headers' });
}
