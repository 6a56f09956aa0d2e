import t from 'tap';
import { serve } from './harness.ts';

const JSON_TYPE = { 'content-type': 'application/json' };

t.test('GET next', async (t) => {
  const { ask } = await serve(t);
  await ask({ method: 'PUT', path: '/jobs/k/next?interval=PT1M&first_run=2014-11-11T22:00:00.250Z' });
  const answer = await ask({ path: '/jobs/k/next/next?count=2' });
  t.match(answer, {
    status: 200,
    text: '{"job":"next","routing_key":"k","runs":["2014-11-11T22:11:00.250Z","2014-11-11T22:12:00.250Z"]}',
  });
  t.equal(((await ask({ path: '/jobs/k/next/next' })).body as { runs: string[] }).runs.length, 20);
  await ask({ method: 'PUT', path: '/jobs/k/a%2Fnext?interval=60' });
  t.match(await ask({ path: '/jobs/k/a%2Fnext' }), { status: 200, body: { job: 'a/next' } });
  await ask({ method: 'PATCH', path: '/jobs/k/next?enabled=false' });
  t.match(await ask({ path: '/jobs/k/next/next' }), { status: 200, body: { runs: [] } }, 'paused');
  t.match(await ask({ path: '/jobs/k/other/next' }), { status: 404 });
  t.match(await ask({ path: '/jobs/k/next/next?count=0' }), { status: 400, body: { parameter: 'count' } });
  t.match(await ask({ path: '/jobs/k/next/next?cuont=1' }), {
    status: 400,
    body: { detail: /takes count/ },
  });
  t.match(await ask({ path: '/jobs/k/next/next', method: 'POST' }), {
    status: 405,
    headers: { allow: 'GET, HEAD' },
  });
});

t.test('a preview', async (t) => {
  const { ask, jobs } = await serve(t);
  const preview = (body: object, query = '') =>
    ask({
      method: 'POST',
      path: `/schedules/preview${query}`,
      headers: JSON_TYPE,
      body: JSON.stringify(body),
    });
  t.match(await preview({ cron: '30 9 * * 1-5', location: 'Europe/Istanbul', count: 3 }), {
    status: 200,
    body: { runs: ['2014-11-12T07:30:00Z', '2014-11-13T07:30:00Z', '2014-11-14T07:30:00Z'] },
  });
  t.match(await preview({ interval: 'P1M', first_run: '2015-01-31T00:00:00Z' }, '?count=3'), {
    body: { runs: ['2015-01-31T00:00:00Z', '2015-02-28T00:00:00Z', '2015-03-31T00:00:00Z'] },
  });
  t.match(await preview({ cron: '@yearly', from: '2037-06-01T00:00:00Z', count: 2 }), {
    body: { runs: ['2038-01-01T00:00:00Z', '2039-01-01T00:00:00Z'] },
  });
  const past = { cron: '@daily', first_run: '2011-12-28T00:00:00Z', location: 'Pacific/Apia' };
  t.match(
    await preview({ ...past, from: '2011-12-29T00:00:00Z', count: 2 }),
    { body: { runs: ['2011-12-29T10:00:00Z', '2011-12-30T10:00:00Z'] } },
    'of the past it tells what would have been',
  );
  t.match(await preview({ interval: 60, max_runs: 2 }), { body: { runs: [String, String] } });
  t.match(
    await preview({ interval: 'PT1H', first_run: '9999-12-31T22:30:00Z' }),
    { body: { runs: ['9999-12-31T22:30:00Z', '9999-12-31T23:30:00Z'] } },
    'up to where RFC 3339 ends',
  );
  t.match(await preview({ cron: '0 0 30 2 *' }), { status: 400, body: { parameter: 'cron' } });
  t.match(await preview({ count: 3 }), { status: 400, body: { parameter: 'interval' } });
  t.match(await preview({ interval: 60, count: 3 }, '?count=3'), {
    status: 400,
    body: { code: 'duplicate_parameter', parameter: 'count' },
  });
  t.match(await preview({ interval: 60, from: 'tomorrow' }), { status: 400, body: { parameter: 'from' } });
  t.equal(jobs.rows.size, 0, 'nothing is stored');
});

t.test('what only the owner knows', async (t) => {
  const { ask } = await serve(t);
  await ask({ method: 'PUT', path: '/jobs/k/j?interval=60' });
  t.match(await ask({ path: '/jobs/k/j/history' }), { status: 503, body: { code: 'not_owner' } });
  t.match(await ask({ path: '/forecast' }), { status: 503, body: { code: 'not_owner' } });
  for (const [query, parameter] of [
    ['step=0', 'step'],
    ['from=2030-01-01T00:00:00Z&to=2030-01-01T00:00:00Z', 'to'],
    ['from=2030-01-01T00:00:00Z&to=2031-01-01T00:00:00Z', 'step'],
    ['til=2030-01-01T00:00:00Z', 'til'],
  ] as const) {
    t.match(await ask({ path: `/forecast?${query}` }), { status: 400, body: { parameter } }, query);
  }
  t.match(await ask({ path: '/status' }), {
    status: 200,
    body: {
      lease: 'starting',
      ready: false,
      owner: null,
      lateness: { p99_ms: null },
      versions: { dalga: '1.2.3' },
    },
  });
});

t.test('POST /forecast refuses what it cannot tell, and stores nothing', async (t) => {
  const { ask, jobs } = await serve(t);
  const post = (body: unknown, query = '') =>
    ask({
      method: 'POST',
      path: `/forecast${query}`,
      headers: JSON_TYPE,
      body: JSON.stringify(body),
    });
  const good = { routing_key: 'k', count: 10, interval: 60 };
  const wrong: [unknown, string, string?][] = [
    [{}, 'schedules'],
    [{ schedules: {} }, 'schedules'],
    [{ schedules: [] }, 'schedules'],
    [{ schedules: new Array(101).fill(0) }, 'schedules'],
    [{ schedules: [good], step: 0 }, 'step'],
    [{ schedules: [good], step: '60' }, 'step'],
    [{ schedules: [good], from: 'tomorrow' }, 'from'],
    [{ schedules: [good], from: '2030-01-01T00:00:00Z', to: '2031-01-01T00:00:00Z' }, 'step'],
    [{ schedules: [good], from: '2030-01-01T00:00:00Z', to: '2030-01-01T00:00:00Z' }, 'to'],
    [{ schedules: [good], schedulez: [] }, 'schedulez', 'unknown_parameter'],
    [{ schedules: [good, 7] }, 'schedules[1]'],
    [{ schedules: [null] }, 'schedules[0]'],
    [{ schedules: [{ interval: 60 }] }, 'schedules[0].routing_key'],
    [{ schedules: [{ ...good, routing_key: '' }] }, 'schedules[0].routing_key'],
    [{ schedules: [{ ...good, routing_key: 7 }] }, 'schedules[0].routing_key'],
    [{ schedules: [{ ...good, count: 0 }] }, 'schedules[0].count'],
    [{ schedules: [{ ...good, count: 100_000_001 }] }, 'schedules[0].count'],
    [{ schedules: [{ ...good, count: '7' }] }, 'schedules[0].count'],
    [{ schedules: [good, good, { ...good, interval: 0 }] }, 'schedules[2].interval'],
    [{ schedules: [{ routing_key: 'k' }] }, 'schedules[0].interval'],
    [{ schedules: [{ routing_key: 'k', cron: '0 0 30 2 *' }] }, 'schedules[0].cron'],
    [{ schedules: [{ routing_key: 'k', cron: '61 * * * *' }] }, 'schedules[0].cron'],
    [{ schedules: [{ ...good, phase: 'spread', immediate: true }] }, 'schedules[0].phase'],
    [{ schedules: [{ ...good, location: 'Mars/Base' }] }, 'schedules[0].location'],
    [{ schedules: [{ ...good, last_run: '2001-01-01T00:00:00Z' }] }, 'schedules[0].last_run'],
    [{ schedules: [{ ...good, shift: 5 }] }, 'schedules[0].shift'],
    [
      { schedules: new Array(3).fill({ routing_key: 'k', cron: '* * * * *', max_runs: 10_000 }) },
      'schedules[2].max_runs',
    ],
    [{ schedules: [{ ...good, job: 'j' }] }, 'schedules[0].job', 'unknown_parameter'],
    [{ schedules: [{ ...good, intervall: 5 }] }, 'schedules[0].intervall', 'unknown_parameter'],
  ];
  for (const [body, parameter, code = 'invalid_parameter'] of wrong) {
    const { status, headers, body: problem } = await post(body);
    const { detail, ...rest } = problem as { detail: string };
    t.match(
      { status, contentType: headers['content-type'], ...rest },
      { status: 400, contentType: /problem\+json/, parameter, code },
    );
    t.ok(detail.startsWith(parameter), detail);
  }
  t.match(await post({ schedules: [good] }, '?step=60'), {
    status: 400,
    body: {
      ...{ code: 'unknown_parameter', parameter: 'step' },
      detail: 'step is not known: POST /forecast takes its parameters in a JSON body alone',
    },
  });
  t.match(await ask({ method: 'POST', path: '/forecast' }), {
    status: 400,
    body: { parameter: 'schedules' },
  });
  const form = 'application/x-www-form-urlencoded';
  for (const [type, body, fault] of [
    [form, 'step=60', 'the Content-Type is that of a form'],
    [
      form,
      '{"step":60}',
      /^the Content-Type is that of a form, and .* send Content-Type: application\/json\)/,
    ],
    ['text/plain', 'step=60', 'the Content-Type is not supported'],
  ] as const) {
    const { status, body: problem } = await ask({
      ...{ method: 'POST', path: '/forecast', body },
      headers: { 'content-type': type },
    });
    t.equal(status, 415);
    const { detail } = problem as { detail: string };
    t.match(detail, fault);
    t.ok(detail.endsWith(': POST /forecast takes a body of application/json alone'), detail);
  }
  t.match(await post({ schedules: [good] }), { status: 503, body: { code: 'not_owner' } });
  t.equal(jobs.rows.size, 0);
});
