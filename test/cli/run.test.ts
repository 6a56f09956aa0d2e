import t from 'tap';
import { COMMANDS } from '../../src/cli/commands.ts';
import { MESSAGE, SCHEDULE } from '../../src/cli/job-options.ts';
import { isCommand } from '../../src/cli/run.ts';
import { freePorts } from '../../src/quickstart/free-port.ts';
import { json, stubServer } from '../client/stub-server.ts';
import { serve } from '../main-thread/http/harness.ts';
import { shell } from './shell.ts';

t.test('what is wrong with a command line', async (t) => {
  const run = shell('http://127.0.0.1:1');
  const cases: [args: string[], message: RegExp][] = [
    [
      ['schedule', 'k'],
      /^dalga: JOB is missing\ndalga: usage: dalga schedule ROUTING_KEY JOB \[options\]; dalga help/,
    ],
    [['get', 'k', 'j', 'x'], /^dalga: x is one too many: it takes ROUTING_KEY JOB/],
    [['status', 'x'], /^dalga: x is one too many: there is nothing to name/],
    [['import'], /^dalga: FILE is missing/],
    [
      ['schedule', 'k', 'j', '--intervall', '60'],
      /^dalga: there is no option --intervall: did you mean --interval\?/,
    ],
    [['schedule', 'k', 'j', '-x'], /^dalga: there is no option -x/],
    [['schedule', 'k', 'j', '--interval'], /^dalga: --interval needs a value: --interval SECONDS/],
    [['schedule', 'k', 'j', '--note', '--json'], /^dalga: --note needs a value: .* --note=--json/],
    [['schedule', 'k', 'j', '--note=a', '--note=b'], /^dalga: --note is given twice/],
    [['schedule', 'k', 'j', '--immediate=yes'], /^dalga: --immediate takes no value/],
    [['schedule', 'k', 'j', '--max-runs', 'x'], /^dalga: --max-runs must be a whole number, and not x/],
    [['schedule', 'k', 'j', '--headers', '{'], /^dalga: --headers must be JSON/],
    [['schedule', 'k', 'j', '--payload=x', '--payload-file=y'], /exclude each other/],
    [
      ['schedule', 'k', 'j', '--payload-file', '/no/such/file'],
      /^dalga: \/no\/such\/file cannot be read \(ENOENT\)/,
    ],
    [['list', '--paused', '--running'], /exclude each other/],
    [['get', 'k', '..'], /^dalga: job must not be "\.\."/],
    [['lst'], /^dalga: there is no command lst: did you mean list\?\ndalga: dalga help lists/],
    [['toString'], /^dalga: there is no command toString\n/],
    [['help', 'lst'], /^dalga: there is no command lst: did you mean list\?/],
  ];
  for (const [args, message] of cases)
    t.match(await run(...args), { code: 2, out: '', err: message }, args.join(' '));
});

t.test('a job whose name begins with a hyphen', async (t) => {
  const { port } = await serve(t);
  const run = shell(`http://127.0.0.1:${port}`);
  t.match(await run('schedule', '--interval', '60', '--', '-k', '--json'), {
    code: 0,
    out: /^created: -k --json, /,
  });
});

t.test('a server that is away, is not Dalga, or is not a URL', async (t) => {
  const [port] = await freePorts(1);
  const away = `http://127.0.0.1:${port}`;
  t.match(await shell(away)('status'), {
    code: 3,
    err: `dalga: ${away} cannot be reached (ECONNREFUSED): DALGA_URL says that Dalga is there\n`,
  });
  const { url } = await stubServer(t, json(200, { hello: 1 }));
  t.match(await shell(url)('status'), {
    code: 2,
    err: /^dalga: what answers at http.* is not Dalga: .* DALGA_URL says/,
  });
  for (const wrong of ['nowhere', 'ftp://user:secret@x']) {
    const { code, err } = await shell(wrong)('status');
    t.equal(code, 2);
    t.equal(err, 'dalga: DALGA_URL must be a URL such as http://127.0.0.1:34006\n');
  }
});

t.test('a user and a password in DALGA_URL, and a path below which Dalga is', async (t) => {
  let authorization: string | undefined;
  const { url, requests } = await stubServer(t, (request, response, body) => {
    authorization = request.headers.authorization;
    json(200, { jobs: [], next: null, total: 0 })(request, response, body);
  });
  await shell(`${url.replace('//', '//me:a%3Ab@')}/dalga/`)('list', '--json');
  t.equal(requests[0]!.path, '/dalga/jobs');
  t.equal(authorization, `Basic ${Buffer.from('me:a:b').toString('base64')}`);
  t.match(await shell(url.replace('//', '//%zz@'))('status'), { code: 2, err: /percent-encoded/ });
});

t.test('a path in DALGA_URL that Dalga does not have', async (t) => {
  const { port } = await serve(t);
  const url = `http://127.0.0.1:${port}`;
  t.match(await shell(`${url}/foo`)('status'), {
    code: 2,
    err: 'dalga: there is nothing at this path: see /docs; DALGA_URL says that Dalga is below /foo\n',
  });
  t.notMatch((await shell(url)('get', 'k', 'j')).err, /DALGA_URL/, 'a job that is not there is none of that');
});

t.test('help', async (t) => {
  const run = shell(undefined);
  const overview = await run('help');
  t.equal(overview.code, 0);
  for (const [name, command] of Object.entries(COMMANDS)) {
    t.match(overview.out, new RegExp(`\n {2}${name} +${command.does.slice(0, 20)}`));
    const { code, out } = await run('help', name);
    t.equal(code, 0);
    for (const option of Object.keys(command.options ?? {}))
      t.match(out, `--${option}`, `${name} --${option}`);
    for (const text of [out, overview.out])
      t.ok(
        text.split('\n').every((line) => line.length <= 100),
        'it fits into its columns',
      );
    t.ok(
      command.examples.length > 0 && command.examples.every((example) => example.split(' ')[0] === name),
      name,
    );
    t.same(await run(name, '--help'), { code, out, err: '' });
    t.same(await run(name, '-h'), { code, out, err: '' });
  }
  t.match(overview.out, /Exit codes: 0 done; 1 /);
});

t.test('the options of schedule are the parameters of the API', async (t) => {
  const { ask } = await serve(t);
  const document = (await ask({ path: '/openapi.json' })).body as {
    paths: Record<string, Record<string, { parameters: { in: string; name: string }[] }>>;
  };
  const { parameters } = document.paths['/jobs/{routing_key}/{job}']!.put!;
  const api = parameters.filter((each) => each.in === 'query').map(({ name }) => name);
  const others: Record<string, string> = { tag: 'tags', paused: 'enabled', 'payload-file': 'payload' };
  const options = Object.keys({ ...SCHEDULE, ...MESSAGE }).map(
    (name) => others[name] ?? name.replaceAll('-', '_'),
  );
  t.same([...new Set(options)].sort(), api.sort());
});

t.test("which command lines are the shell's", async (t) => {
  t.notOk(isCommand([]));
  t.notOk(isCommand(['-debug']));
  t.notOk(isCommand(['--help']));
  t.ok(isCommand(['list']));
  t.ok(isCommand(['lst']), 'a mistyped one too');
});
