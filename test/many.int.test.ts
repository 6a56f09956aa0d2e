import t from 'tap';
import { startService } from './helpers/service.ts';

t.test('many jobs are paused, changed, shifted and deleted in one call', async (t) => {
  const service = await startService(t);
  const { url } = service;
  const lines = Array.from({ length: 2500 }, (_, index) =>
    JSON.stringify({
      ...{ routing_key: index % 2 === 0 ? 'even' : 'odd', job: String(index), interval: 3600 },
      ...(index % 100 === 0 ? { tags: ['round'] } : {}),
      ...(index === 2 ? { max_runs: 3 } : {}),
    }),
  );
  const loaded = await fetch(`${url}/jobs`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: lines.join('\n'),
  });
  await loaded.text();
  const ask = async (method: string, query: string, body?: object) => {
    const answer = await fetch(`${url}/jobs?${query}`, {
      method,
      ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  };
  const nothing = { refused: 0, errors: [] };

  t.match(await ask('DELETE', 'routing_key=even&dry_run=true'), {
    status: 200,
    body: { matched: 1250, deleted: 0, ...nothing },
  });
  t.same((await ask('PATCH', 'tag=round', { enabled: false, note: 'all of them' })).body, {
    ...{ matched: 25, changed: 25 },
    ...nothing,
  });
  t.match((await ask('DELETE', 'enabled=false&dry_run=true')).body, { matched: 25 });
  const before = (await (await fetch(`${url}/jobs/odd/7`)).json()) as { next_run: string };
  t.match((await ask('PATCH', 'routing_key=odd&job_prefix=7', { shift: 60 })).body, {
    matched: 56,
    changed: 56,
  });
  const after = (await (await fetch(`${url}/jobs/odd/7`)).json()) as { next_run: string };
  t.equal(Date.parse(after.next_run) - Date.parse(before.next_run), 60_000, 'the phase is shifted');

  const refused = await ask('PATCH', 'routing_key=even&job_prefix=2', { last_run: '2001-01-01T00:00:00Z' });
  t.equal(refused.status, 200);
  t.match(refused.body, {
    changed: 0,
    errors: [{ routing_key: 'even', code: 'invalid_parameter', parameter: 'last_run' }],
  });
  t.equal(refused.body.refused, refused.body.matched);
  t.equal((refused.body.errors as unknown[]).length, 10, 'the first ten are told');

  t.match((await ask('DELETE', 'routing_key_prefix=ev')).body, { matched: 1250, deleted: 1250 });
  t.match(await (await fetch(`${url}/jobs?limit=1`)).json(), { total: 1250 });
  for (const [method, query, body, parameter] of [
    ['DELETE', '', undefined, 'routing_key'],
    ['PATCH', 'dry_run=true', { enabled: false }, 'routing_key'],
    ['PATCH', 'routing_key=odd', {}, 'enabled'],
    ['PATCH', 'routing_key=odd', { interval: 0 }, 'interval'],
    ['PATCH', 'routing_key=odd', { cron: '61 * * * *' }, 'cron'],
    ['PATCH', 'routing_key=odd', { location: 'Atlantis' }, 'location'],
    ['PATCH', 'routing_key=odd', { exclude: ['sometimes'] }, 'exclude'],
    ['PATCH', 'routing_key=odd', { exchange: 'no-such-exchange' }, 'exchange'],
    ['PATCH', 'routing_key=odd&dry_run=true', { exchange: 'no-such-exchange' }, 'exchange'],
    ['DELETE', 'routing_kye=odd', undefined, 'routing_kye'],
  ] as const) {
    t.match(await ask(method, query, body), { status: 400, body: { parameter } }, `${method} ${query}`);
  }
  t.match(
    (await ask('DELETE', 'routing_key=odd&dry_run=true')).body,
    { matched: 1250 },
    'nothing was done by those',
  );
});
