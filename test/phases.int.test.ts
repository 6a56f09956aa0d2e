import t from 'tap';
import type { Received } from './helpers/consumer.ts';
import { inParallel, type Service, scheduledAt, startService } from './helpers/service.ts';

const JOBS = 10_000;
const INTERVAL = 10_000;

async function schedule(service: Service): Promise<void> {
  const names = Array.from({ length: JOBS }, (_, index) => `job-${index}`);
  await inParallel(names, 50, async (name) => {
    const answer = await fetch(`${service.url}/jobs/${service.queue}/${name}?interval=10`, { method: 'PUT' });
    await answer.arrayBuffer();
    if (answer.status !== 201) throw new Error(`PUT ${name}: ${answer.status}`);
  });
}

/** What the messages say, by job. */
function read(messages: readonly Received[]) {
  const times = new Map<string, number[]>();
  const lateness: number[] = [];
  for (const message of messages) {
    const job = message.content.toString();
    if (!times.has(job)) times.set(job, []);
    times.get(job)!.push(scheduledAt(message));
    lateness.push(message.receivedAt - scheduledAt(message));
  }
  let repeated = 0;
  let missing = 0;
  let offPhase = 0;
  for (const list of times.values()) {
    const distinct = [...new Set(list)].sort((a, b) => a - b);
    repeated += list.length - distinct.length;
    for (const [index, time] of distinct.entries()) {
      const drift = time - distinct[0]!;
      if (drift % INTERVAL !== 0) offPhase++;
      else if (index > 0) missing += (time - distinct[index - 1]!) / INTERVAL - 1;
    }
  }
  lateness.sort((a, b) => a - b);
  const at = (share: number) => lateness[Math.min(lateness.length - 1, Math.floor(lateness.length * share))];
  return {
    jobs: times.size,
    repeated,
    missing,
    offPhase,
    lateness: `received later than scheduled by: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms`,
  };
}

/** Lets messages come until the newest was scheduled at or after `time`, Unix ms, for all jobs. */
async function receiveUntil(service: Service, time: number): Promise<void> {
  const open = new Set(Array.from({ length: JOBS }, (_, index) => `job-${index}`));
  let seen = 0;
  const deadline = time + 3 * INTERVAL;
  while (open.size > 0) {
    if (Date.now() > deadline)
      throw new Error(`${open.size} jobs did not run after ${new Date(time).toISOString()}`);
    await service.consumer.take(1, 20_000);
    for (; seen < service.consumer.messages.length; seen++) {
      const message = service.consumer.messages[seen]!;
      if (scheduledAt(message) >= time) open.delete(message.content.toString());
    }
  }
}

t.test('10,000 jobs at 10 s for a minute: each at its phase, none twice', { timeout: 180_000 }, async (t) => {
  const service = await startService(t);
  await schedule(service);
  await receiveUntil(service, Date.now() + 60_000);
  const { lateness, ...found } = read(service.consumer.messages);
  t.comment(lateness);
  t.same(found, { jobs: JOBS, repeated: 0, missing: 0, offPhase: 0 });
  t.equal(await service.instance.process.stop(), 0);
});

t.test('a stop and a kill -9 in the middle: no occurrence is lost', { timeout: 180_000 }, async (t) => {
  const service = await startService(t);
  await schedule(service);
  const begun = Date.now();
  await receiveUntil(service, begun + 5000);

  t.equal(await service.instance.process.stop(), 0, 'a clean stop');
  await service.start();
  await receiveUntil(service, Date.now() + 12_000);
  const afterStop = read(service.consumer.messages);
  t.equal(afterStop.repeated, 0, 'a clean stop leaves no duplicate');
  t.equal(afterStop.missing, 0);

  await service.instance.process.kill();
  const killed = Date.now();
  await service.start();
  t.comment(`ready ${Date.now() - killed} ms after the kill`);
  t.notOk(
    service.instance.process.log.some(({ msg }) => msg?.includes('standby')),
    'it does not wait for its own lease',
  );
  await receiveUntil(service, Date.now() + 12_000);
  const { lateness, repeated, ...found } = read(service.consumer.messages);
  t.comment(`${repeated} of ${service.consumer.messages.length} repeated after the kill; ${lateness}`);
  t.same(found, { jobs: JOBS, missing: 0, offPhase: 0 });

  const firsts = new Map<string, number>();
  const wronglyRepeated = service.consumer.messages.filter((message) => {
    const id = message.properties.messageId as string;
    const first = firsts.get(id);
    firsts.set(id, first ?? message.receivedAt);
    return first !== undefined && (first > killed + 100 || first < killed - 2000);
  });
  t.equal(wronglyRepeated.length, 0, 'repeated is only what was confirmed shortly before the kill');
});
