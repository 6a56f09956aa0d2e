import { workerData } from 'node:worker_threads';
import type { ConfirmChannel } from 'amqplib';
import { type Connection, createConnection } from 'mysql2/promise';
import { connectTuned } from './connect.ts';
import { propertiesOf } from './message.ts';
import type { PollingOptions } from './polling.ts';
import { type ThreadData, workOnce } from './threads.ts';

/**
 * One thread of the classic scheduler. Each of its sessions takes the next due jobs, which it locks so that no other
 * takes them, publishes them, waits for the confirms, moves their next runs on, and commits. So a crash repeats what
 * was not committed, and loses nothing: what Dalga promises too.
 */
const { options } = workerData as ThreadData<PollingOptions>;
const { mysql, rabbitmq, until, tuning } = options;

/** id, routing key, job, interval, next run */
type Due = [number, Buffer, Buffer, number, number];

const connection = await connectTuned(rabbitmq, tuning);
const sessions = await Promise.all(Array.from({ length: tuning.sessions }, open));

async function open(): Promise<{ session: Connection; channel: ConfirmChannel }> {
  const { host, port, user, password, database } = mysql;
  // Two statements in one round trip: the one that begins or ends the transaction costs none.
  const session = await createConnection({ host, port, user, password, database, multipleStatements: true });
  // No gap locks: sessions would wait for each other at the index's beginning.
  await session.query('SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED');
  const channel = await connection.createConfirmChannel();
  channel.on('return', () => {
    throw new Error('a message was returned');
  });
  return { session, channel };
}

const take =
  'START TRANSACTION; SELECT id, routing_key, job, interval_ms, next_run FROM polled WHERE next_run <= ? ' +
  `ORDER BY next_run LIMIT ${tuning.batch} FOR UPDATE SKIP LOCKED`;

/** Resolves when nothing is due that no one else has. */
async function work({ session, channel }: { session: Connection; channel: ConfirmChannel }): Promise<void> {
  for (;;) {
    const [results] = await session.query({ sql: take, values: [until], rowsAsArray: true });
    const due = (results as unknown as [unknown, Due[]])[1];
    if (due.length === 0) {
      await session.query('COMMIT');
      return;
    }
    await publish(channel, due);
    const ids = due.map(([id]) => id).join(', ');
    // One statement for the batch, and the server reckons: no row's time crosses the wire.
    await session.query(`UPDATE polled SET next_run = next_run + interval_ms WHERE id IN (${ids}); COMMIT`);
  }
}

/** Resolves when all are confirmed. */
async function publish(channel: ConfirmChannel, due: readonly Due[]): Promise<void> {
  let next = 0;
  let unconfirmed = due.length;
  await new Promise<void>((resolve, reject) => {
    const confirmed = (error: unknown): void => {
      if (error) reject(error);
      else if (--unconfirmed === 0) resolve();
    };
    const write = (): void => {
      for (let room = true; room && next < due.length; next++) {
        const [id, routingKey, job, intervalMs, time] = due[next]!;
        const properties = propertiesOf('poll', id, time, intervalMs);
        room = channel.publish('', routingKey.toString('utf8'), job, properties, confirmed);
      }
      if (next < due.length) channel.once('drain', write);
    };
    write();
  });
}

workOnce(async () => {
  await Promise.all(sessions.map(work));
  await Promise.all(sessions.map(({ session }) => session.end()));
  await connection.close();
});
