import t from 'tap';
import { DalgaError } from '../../../src/errors.ts';
import { isRefusal, serve } from './harness.ts';

const JSON_TYPE = { 'content-type': 'application/json' };
const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const SPAN = 'from=2014-11-11T00:00:00Z&to=2014-11-11T01:00:00.500Z';

t.test('a run by hand', async (t) => {
  const { ask } = await serve(t);
  await ask({ method: 'PUT', path: '/jobs/k/a%2Frun?interval=60' });
  t.match(await ask({ method: 'POST', path: '/jobs/k/a%2Frun/run' }), {
    ...{ status: 202, headers: { location: '/backfills/7', 'cache-control': 'no-store' } },
    text:
      '{"id":"7","kind":"run","job":"a/run","routing_key":"k","from":null,"to":null,' +
      '"position":"2014-11-11T22:10:40.900Z","published":0,"created":"2014-11-11T22:10:40.900Z"}',
  });
  t.match(await ask({ method: 'POST', path: '/jobs/k/b/run' }), { status: 404, body: { code: 'not_found' } });
  t.match(await ask({ path: '/jobs/k/a%2Frun/run' }), { status: 405, headers: { allow: 'POST' } });
  t.match(await ask({ method: 'POST', path: '/jobs/k/a%2Frun/run?now=1' }), {
    ...{ status: 400, body: { code: 'unknown_parameter', parameter: 'now' } },
  });
  const body = '{"interval":60}';
  t.match(await ask({ method: 'POST', path: '/jobs/k/a%2Frun/run', headers: JSON_TYPE, body }), {
    ...{ status: 400, body: { code: 'unknown_parameter', parameter: 'interval' } },
  });
});

t.test('a backfill, from query string, form or JSON', async (t) => {
  const { ask } = await serve(t);
  await ask({ method: 'PUT', path: '/jobs/k/j?interval=60&first_run=2014-11-01T00:00:30Z' });
  const path = '/jobs/k/j/backfill';
  const text = (id: number) =>
    `{"id":"${id}","kind":"backfill","job":"j","routing_key":"k","from":"2014-11-11T00:00:00Z",` +
    '"to":"2014-11-11T01:00:00.500Z","position":"2014-11-11T00:00:30Z","published":0,' +
    '"created":"2014-11-11T22:10:40.900Z"}';
  t.match(await ask({ method: 'POST', path: `${path}?${SPAN}` }), { status: 202, text: text(7) });
  t.match(await ask({ method: 'POST', path, headers: FORM, body: SPAN }), { status: 202, text: text(8) });
  const body = '{"from":"2014-11-11T02:00:00+02:00","to":"2014-11-11T01:00:00.500Z"}';
  t.match(await ask({ method: 'POST', path, headers: JSON_TYPE, body }), { status: 202, text: text(9) });

  t.match(await ask({ path: '/backfills' }), {
    ...{ status: 200, text: `{"backfills":[${text(7)},${text(8)},${text(9)}]}` },
  });
  t.match(await ask({ path: '/backfills/8' }), { status: 200, text: text(8) });
  t.match(await ask({ method: 'DELETE', path: '/backfills/8' }), { status: 204, text: '' });
  for (const id of ['8', '08', '-1', '1e1', 'x', '9999999999999999', '%38']) {
    for (const method of ['GET', 'DELETE']) {
      t.match(await ask({ method, path: `/backfills/${id}` }), { status: 404, body: { code: 'not_found' } });
    }
  }
  t.match(await ask({ method: 'POST', path: '/backfills' }), {
    status: 405,
    headers: { allow: 'GET, HEAD' },
  });
  t.match(await ask({ path: '/backfills?limit=1' }), { status: 400, body: { parameter: 'limit' } });
  t.match(await ask({ path: '/backfills/9?x=1' }), { status: 400, body: { parameter: 'x' } });
  t.match(await ask({ method: 'DELETE', path: '/backfills/9?x=1' }), { status: 400 });
  t.match((await ask({ path: '/backfills' })).body, { backfills: [{ id: '7' }, { id: '9' }] });
});

t.test('what a backfill refuses names the parameter and the rule', async (t) => {
  const served = await serve(t);
  const from = '2014-11-11T00:00:00Z';
  const refused = async (query: string, parameter: string, detail: RegExp, code = 'invalid_parameter') => {
    const answer = await served.ask({ method: 'POST', path: `/jobs/k/j/backfill?${query}` });
    isRefusal(t, served, answer, { status: 400, code, parameter, detail });
  };
  await refused('', 'from', /^from is missing/);
  await refused(`from=${from}`, 'to', /^to is missing/);
  await refused(`from=${from}&to=${from}`, 'to', /must be after from/);
  await refused(`from=yesterday&to=${from}`, 'from', /RFC 3339/);
  await refused(`from=${from}&to=2014-11-12T00:00:00`, 'to', /zone is missing/);
  await refused(`from=${from}&from=${from}`, 'from', /more than once/, 'duplicate_parameter');
  await refused(`form=${from}`, 'form', /backfill takes from, to/, 'unknown_parameter');
});

t.test('what depends on the job is refused too', async (t) => {
  const { ask, jobs } = await serve(t);
  await ask({ method: 'PUT', path: '/jobs/k/j?interval=1&first_run=2014-11-01T00:00:00Z' });
  await ask({ method: 'PUT', path: '/jobs/k/new?interval=60' });
  await ask({ method: 'PUT', path: '/jobs/k/once?one_off=true&interval=60' });
  const refused = async (job: string, query: string, parameter: string | undefined, detail: RegExp) => {
    const answer = await ask({ method: 'POST', path: `/jobs/k/${job}/backfill?${query}` });
    t.match(answer, { status: 400, body: { code: 'invalid_parameter', detail } });
    t.equal((answer.body as { parameter?: string }).parameter, parameter);
  };
  await refused('j', 'from=2014-11-11T00:00:00Z&to=2014-11-11T22:10:41Z', 'to', /not be in the future/);
  await refused('j', 'from=2014-11-01T00:00:00Z&to=2014-11-03T00:00:00Z', 'to', /at most 100000/);
  await refused('new', SPAN, 'from', /no run of the schedule .*next is at 2014-11-11T22:11:40.900Z/);
  await refused('once', SPAN, undefined, /one-off/);
  t.match(await ask({ method: 'POST', path: `/jobs/k/nobody/backfill?${SPAN}` }), { status: 404 });
  jobs.failure = new DalgaError('too_many_backfills', '1000 are open');
  t.match(await ask({ method: 'POST', path: '/jobs/k/j/run' }), {
    ...{ status: 429, body: { code: 'too_many_backfills', title: String } },
  });
});
