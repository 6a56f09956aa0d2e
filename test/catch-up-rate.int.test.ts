import t from 'tap';
import type { Received } from './helpers/consumer.ts';
import { seedJobs } from './helpers/seed-jobs.ts';
import { scheduledAt, startService } from './helpers/service.ts';

/** More than a checkpoint lists. */
const JOBS = 12_000;
const RATE = 1000;
const HOUR = 3_600_000;
const MINUTE = 60_000;

t.test(
  `${JOBS} jobs missed, ${RATE} catch-ups a second, and a kill -9 in the middle`,
  { timeout: 120_000 },
  async (t) => {
    const service = await startService(t, { DALGA_CATCHUP_RATE: String(RATE) });
    t.equal(await service.instance.process.stop(), 0);
    // Each hour; two of its times are missed, and the next is 20 minutes ahead at least.
    const now = Date.now();
    const jobs = Array.from({ length: JOBS }, (_, index) => ({
      job: `job-${index}`,
      intervalMs: HOUR,
      firstRun: now - 2 * HOUR + 20 * MINUTE + Math.floor((index * 30 * MINUTE) / JOBS),
    }));
    await seedJobs(service.settings.mysql, service.queue, jobs, now - 2 * HOUR);
    const connection = await service.connect();
    await connection.query('UPDATE dalga_state SET watermark = ?, exceptions = ?', [
      now - 2 * HOUR,
      Buffer.alloc(0),
    ]);
    await connection.end();
    const isCatchUp = (message: Received) => message.content.toString().startsWith('job-');
    const caughtUp = () => service.consumer.messages.filter(isCatchUp);

    await service.start();
    const ticker = await fetch(`${service.url}/jobs/${service.queue}/ticker?interval=1`, { method: 'PUT' });
    t.equal(ticker.status, 201);
    await service.consumer.take(JOBS / 6, 20_000);
    const status = (await (await fetch(`${service.url}/status`)).json()) as { catch_ups_waiting: number };
    t.ok(status.catch_ups_waiting > JOBS / 4, `${status.catch_ups_waiting} wait`);
    const last = `${service.url}/jobs/${service.queue}/job-${JOBS - 1}`;
    t.match(await (await fetch(`${last}/history`)).json(), {
      why: /What it missed since .* waits for its catch-up: DALGA_CATCHUP_RATE lets so many go a second, and \d+ wait\./,
    });
    await service.instance.process.kill();
    const killed = Date.now();
    const before = caughtUp();
    t.ok(tookItsTime(before), 'no faster than the rate');

    await service.start();
    const open = new Set(jobs.map(({ job }) => job));
    for (let seen = 0; open.size > 0; ) {
      for (; seen < service.consumer.messages.length; seen++) {
        open.delete(service.consumer.messages[seen]!.content.toString());
      }
      if (open.size > 0) await service.consumer.take(1, 20_000);
    }
    const all = caughtUp();
    t.ok(tookItsTime(all.slice(before.length)), 'no faster after it');
    t.ok(
      all.every((message) => message.properties.headers?.['x-dalga-missed'] === 2),
      'each stands for what it missed',
    );
    const firsts = new Map<string, number>();
    const wronglyRepeated = all.filter((message) => {
      const id = message.properties.messageId as string;
      const first = firsts.get(id);
      firsts.set(id, first ?? message.receivedAt);
      return first !== undefined && (first > killed + 100 || first < killed - 2000);
    });
    t.comment(`${all.length - JOBS} came again after the kill`);
    t.equal(wronglyRepeated.length, 0, 'repeated is only what was confirmed shortly before the kill');
    const ticks = service.consumer.messages.filter((message) => !isCatchUp(message)).map(scheduledAt);
    t.ok(ticks.length >= 3, 'what is due runs meanwhile');
    const told = service.instance.process.log.some(({ msg }) => /catch-up runs wait/.test(msg ?? ''));
    t.ok(told, 'the log tells of it');
    t.equal(await service.instance.process.stop(), 0);
  },
);

/** Whether the messages of one process, some of which may still be on their way, were sent no faster than the rate allows. */
function tookItsTime(messages: readonly Received[]): boolean {
  const took = messages.at(-1)!.receivedAt - messages[0]!.receivedAt;
  // The first may have been on its way for a while.
  return messages.length <= ((took + 500) / 1000) * RATE * 1.02 + 1;
}
