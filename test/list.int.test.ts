import t from 'tap';
import { freePorts } from '../src/quickstart/free-port.ts';
import { DalgaProcess, environment } from './helpers/dalga-process.ts';
import { startService } from './helpers/service.ts';

type Job = { job: string; routing_key: string; next_run: string };
type Page = { jobs: Job[]; next: string | null; total: number | null };

async function page(url: string, query: string): Promise<Page> {
  const answer = await fetch(`${url}/jobs?${query}`);
  if (answer.status !== 200) throw new Error(await answer.text());
  return (await answer.json()) as Page;
}

async function load(url: string, jobs: readonly object[]): Promise<void> {
  const body = jobs.map((job) => JSON.stringify(job)).join('\n');
  const headers = { 'content-type': 'application/x-ndjson' };
  const answer = await fetch(`${url}/jobs`, { method: 'POST', headers, body });
  await answer.text();
}

const names = ({ jobs }: Page) => jobs.map(({ job }) => job);

t.test('jobs are listed, by name and by their next runs, and on a standby', async (t) => {
  const service = await startService(t);
  const { url } = service;
  const at = (seconds: number) => new Date(Date.UTC(2040, 0, 1) + seconds * 1000).toISOString();
  await load(
    url,
    Array.from({ length: 300 }, (_, job) => ({
      ...{ routing_key: 'nobody', job: String(job).padStart(3, '0'), interval: 60 },
      ...{ first_run: at((job * 7) % 300), tags: job % 100 === 0 ? ['round'] : [] },
    })),
  );
  await fetch(`${url}/jobs/soon/1?one_off=true&interval=86400`, { method: 'PUT' });

  const whole: string[] = [];
  for (let query = 'limit=120'; ; ) {
    const { jobs, next, total } = await page(url, query);
    t.equal(total, 301);
    whole.push(...jobs.map(({ routing_key, job }) => `${routing_key}/${job}`));
    if (next === null) break;
    query = `limit=120&cursor=${next}`;
  }
  t.equal(whole.length, 301);
  t.same(whole, [...whole].sort());
  t.same(names(await page(url, 'tag=round')), ['000', '100', '200']);

  const due = await page(url, 'sort=next_run&limit=4');
  t.same(names(due), ['1', '000', '043', '086']);
  t.equal(due.jobs[2]!.next_run, '2040-01-01T00:00:01Z');
  t.same(names(await page(url, 'sort=next_run&limit=2&tag=round')), ['000', '100']);
  await fetch(`${url}/jobs/nobody/000?enabled=false`, { method: 'POST' });
  await fetch(`${url}/jobs/nobody/043`, { method: 'DELETE' });
  t.same(names(await page(url, 'sort=next_run&limit=3')), ['1', '086', '129']);

  const [port] = (await freePorts(1)) as [number];
  const standby = new DalgaProcess(environment(service.settings, port));
  t.teardown(async () => {
    standby.child.kill('SIGKILL');
    await standby.exited;
  });
  const other = `http://127.0.0.1:${port}`;
  // It never becomes ready: another instance owns the table.
  const answers = () =>
    fetch(`${other}/healthz`).then(
      ({ ok }) => ok,
      () => false,
    );
  while (!(await answers())) await new Promise((resolve) => setTimeout(resolve, 20));
  t.same(names(await page(other, 'tag=round')), ['000', '100', '200']);
  t.type((await page(other, 'limit=1')).total, 'number');
  const refused = await fetch(`${other}/jobs?sort=next_run`);
  t.equal(refused.status, 503);
  t.match(await refused.json(), { code: 'not_owner' });
});
