import type { PublishBatch, Route } from '../protocol/scheduler-publisher.ts';

/** Types of frames, and the octet that each ends with (AMQP 0-9-1, 4.2.3). */
const METHOD = 1;
const HEADER = 2;
const BODY = 3;
const FRAME_END = 0xce;
/** Before a frame's payload: its type, channel and size. */
const FRAME_HEAD = 7;
const FRAME_OVERHEAD = FRAME_HEAD + 1;
/** Every peer takes frames of 4,096 bytes (frame-min-size): a body within that is never cut. */
const BODY_LIMIT = 4096 - FRAME_OVERHEAD;
/** basic.publish: its class and method, and the bit `mandatory`. */
const BASIC = 60;
const PUBLISH = 40;
const MANDATORY = 1;
/** Which properties a header has; they follow in this order. */
const HEADERS = 1 << 13;
const DELIVERY_MODE = 1 << 12;
const EXPIRATION = 1 << 8;
const MESSAGE_ID = 1 << 7;
const TIMESTAMP = 1 << 6;
const APP_ID = 1 << 3;
const PERSISTENT = 2;
/** Bytes that a short string has at most: an exchange, a routing key. */
const SHORT_STRING = 255;
/** A method and a header frame are shorter. */
const HEADS_LIMIT = 1024;
/** What goes to the channel in one go at most, bytes: some eighty messages. */
const CHUNK = 16_384;

const SCHEDULED_AT = shortString('x-dalga-scheduled-at');
const MISSED = shortString('x-dalga-missed');
const DALGA = shortString('dalga');
const DOT = 0x2e;
const DIGITS = Buffer.from('0123456789abcdefghijklmnopqrstuvwxyz');

/**
 * The frames of messages that have no properties but Dalga's, as nearly all of them, byte for byte as amqplib would encode them:
 *
 *   method frame | header frame | body frame | method frame | ...
 *
 * amqplib takes some 4 us for a message: it makes four buffers, and hands each message over by itself. This takes less
 * than one: it writes into a buffer that has room for many, and hands them over together.
 */
export class PublishFrames {
  readonly #channel: number;
  readonly #write: (frames: Buffer) => void;
  #chunk = Buffer.allocUnsafeSlow(CHUNK);
  /** What is not handed over begins and ends here. */
  #start = 0;
  #end = 0;
  /** The method frame of the last message: mostly that of the next one, too. */
  #method = Buffer.alloc(0);
  #exchange = '';
  #routingKey = '';

  /** @param channel its number on the connection */
  constructor(channel: number, write: (frames: Buffer) => void) {
    this.#channel = channel;
    this.#write = write;
  }

  /** Whether it is such a message; if not, amqplib is to encode it. */
  static fit(batch: PublishBatch, position: number, body: Buffer): boolean {
    const { optionsOf, spans, ids, times, missed, expirations } = batch;
    return (
      spans === null &&
      (optionsOf === null || optionsOf[position] === 0) &&
      body.length <= BODY_LIMIT &&
      isCount(ids[position]!) &&
      isCount(times[position]!) &&
      isCount(missed[position]!) &&
      isCount(expirations[position]!)
    );
  }

  /** @throws RangeError when its exchange or routing key is too long; nothing is added then */
  add(batch: PublishBatch, position: number, body: Buffer): void {
    if (this.#end + HEADS_LIMIT + FRAME_OVERHEAD + body.length > CHUNK) this.#begin();
    this.#putMethod(batch.routes[batch.routeOf[position]!]!);
    this.#putHeader(batch, position, body.length);
    if (body.length > 0) this.#putBody(body);
  }

  /** Hands over what was added. */
  flush(): void {
    if (this.#start === this.#end) return;
    const frames = this.#chunk.subarray(this.#start, this.#end);
    this.#start = this.#end;
    this.#write(frames);
  }

  #begin(): void {
    this.flush();
    // What was handed over is the socket's until it is sent.
    this.#chunk = Buffer.allocUnsafeSlow(CHUNK);
    this.#start = 0;
    this.#end = 0;
  }

  #putMethod({ exchange, routingKey }: Route): void {
    if (exchange !== this.#exchange || routingKey !== this.#routingKey || this.#method.length === 0) {
      const names = [shortString(exchange), shortString(routingKey)];
      const method = Buffer.concat([
        Buffer.alloc(FRAME_HEAD),
        Buffer.of(0, BASIC, 0, PUBLISH, 0, 0),
        ...names,
        Buffer.of(MANDATORY, FRAME_END),
      ]);
      putFrame(method, 0, METHOD, this.#channel, method.length);
      this.#method = method;
      this.#exchange = exchange;
      this.#routingKey = routingKey;
    }
    this.#chunk.set(this.#method, this.#end);
    this.#end += this.#method.length;
  }

  #putHeader(batch: PublishBatch, position: number, size: number): void {
    const chunk = this.#chunk;
    const time = batch.times[position]!;
    const missed = batch.missed[position]!;
    const expiration = batch.expirations[position]!;
    const flags = HEADERS | DELIVERY_MODE | MESSAGE_ID | TIMESTAMP | APP_ID;
    let at = this.#end + FRAME_HEAD;
    at = putShort(chunk, at, BASIC);
    at = putShort(chunk, at, 0);
    at = putLong(chunk, at, size);
    at = putShort(chunk, at, expiration > 0 ? flags | EXPIRATION : flags);
    const table = at;
    at = putBytes(chunk, at + 4, SCHEDULED_AT);
    at = putInteger(chunk, at, time);
    if (missed > 0) {
      at = putBytes(chunk, at, MISSED);
      at = putInteger(chunk, at, missed);
    }
    putWord(chunk, table, at - table - 4);
    chunk[at++] = PERSISTENT;
    if (expiration > 0) {
      const end = putDigits(chunk, at + 1, expiration, 10);
      chunk[at] = end - at - 1;
      at = end;
    }
    const id = at++;
    for (let place = 0; place < batch.tag.length; place++) chunk[at++] = batch.tag.charCodeAt(place);
    chunk[at++] = DOT;
    at = putDigits(chunk, at, batch.ids[position]!, 36);
    chunk[at++] = DOT;
    at = putDigits(chunk, at, time, 36);
    chunk[id] = at - id - 1;
    at = putLong(chunk, at, Math.floor(time / 1000));
    at = putBytes(chunk, at, DALGA);
    chunk[at++] = FRAME_END;
    putFrame(chunk, this.#end, HEADER, this.#channel, at - this.#end);
    this.#end = at;
  }

  #putBody(body: Buffer): void {
    const chunk = this.#chunk;
    const length = body.length + FRAME_OVERHEAD;
    putFrame(chunk, this.#end, BODY, this.#channel, length);
    chunk.set(body, this.#end + FRAME_HEAD);
    this.#end += length;
    chunk[this.#end - 1] = FRAME_END;
  }
}

/** What a frame of `length` bytes in all begins with. */
function putFrame(bytes: Buffer, at: number, type: number, channel: number, length: number): void {
  bytes[at] = type;
  putShort(bytes, at + 1, channel);
  putWord(bytes, at + 3, length - FRAME_OVERHEAD);
}

/** A value in a table, in the smallest type that holds it, as amqplib has it. */
function putInteger(bytes: Buffer, at: number, value: number): number {
  if (value < 0x80) {
    bytes[at] = 0x62; // b: 8 bits
    bytes[at + 1] = value;
    return at + 2;
  }
  if (value < 0x8000) {
    bytes[at] = 0x73; // s: 16 bits
    return putShort(bytes, at + 1, value);
  }
  if (value < 0x8000_0000) {
    bytes[at] = 0x49; // I: 32 bits
    return putWord(bytes, at + 1, value);
  }
  bytes[at] = 0x6c; // l: 64 bits
  return putLong(bytes, at + 1, value);
}

function putShort(bytes: Buffer, at: number, value: number): number {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
  return at + 2;
}

function putWord(bytes: Buffer, at: number, value: number): number {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
  return at + 4;
}

function putLong(bytes: Buffer, at: number, value: number): number {
  putWord(bytes, at, Math.floor(value / 0x1_0000_0000));
  return putWord(bytes, at + 4, value >>> 0);
}

function putBytes(bytes: Buffer, at: number, of: Buffer): number {
  for (let place = 0; place < of.length; place++) bytes[at + place] = of[place]!;
  return at + of.length;
}

function isCount(value: number): boolean {
  return value >= 0 && Number.isSafeInteger(value);
}

/** A count, as `toString(radix)` writes it. */
function putDigits(bytes: Buffer, at: number, value: number, radix: number): number {
  let length = 1;
  for (let limit = radix; limit <= value; limit *= radix) length++;
  let rest = value;
  for (let place = at + length - 1; place >= at; place--) {
    const next = Math.floor(rest / radix);
    bytes[place] = DIGITS[rest - next * radix]!;
    rest = next;
  }
  return at + length;
}

function shortString(text: string): Buffer {
  const bytes = Buffer.from(text);
  if (bytes.length > SHORT_STRING)
    throw new RangeError(`${bytes.length} bytes are more than ${SHORT_STRING}`);
  return Buffer.concat([Buffer.of(bytes.length), bytes]);
}
