import t from 'tap';
import { helpText } from '../src/config/describe.ts';
import { parseFlags } from '../src/config/flags.ts';
import { flagOf, type Setting, settingNames, settings } from '../src/config/settings.ts';
import { nearest } from '../src/nearest.ts';

t.test('all spellings of a flag', async (t) => {
  const spellings = [['-mysql-host', 'db'], ['--mysql-host', 'db'], ['-mysql-host=db'], ['--mysql-host=db']];
  for (const args of spellings) {
    const { values, errors, action } = parseFlags([...args, '-debug']);
    t.strictSame(
      [...values],
      [
        ['DALGA_MYSQL_HOST', 'db'],
        ['DALGA_DEBUG', 'true'],
      ],
    );
    t.strictSame(errors, []);
    t.equal(action, 'serve');
  }
});

t.test("the original's flags are all there", async (t) => {
  const names = [
    ...['http-host', 'http-port', 'mysql-host', 'mysql-port', 'mysql-db', 'mysql-user', 'mysql-password'],
    ...['mysql-table', 'rabbitmq-host', 'rabbitmq-port', 'rabbitmq-user', 'rabbitmq-password'],
    ...['rabbitmq-vhost', 'rabbitmq-exchange'],
  ];
  for (const name of names) {
    const { values, errors } = parseFlags([`-${name}`, '1']);
    t.strictSame(errors, []);
    t.strictSame([...values], [[`DALGA_${name.toUpperCase().replaceAll('-', '_')}`, '1']]);
  }
});

t.test('values', async (t) => {
  const cases: [string[], [string, string][]][] = [
    [['-mysql-password=a=b'], [['DALGA_MYSQL_PASSWORD', 'a=b']]],
    [['-mysql-password='], [['DALGA_MYSQL_PASSWORD', '']]],
    [['-mysql-password', ''], [['DALGA_MYSQL_PASSWORD', '']]],
    [['-mysql-password=-x'], [['DALGA_MYSQL_PASSWORD', '-x']]],
    [['-mysql-password=a\nb'], [['DALGA_MYSQL_PASSWORD', 'a\nb']]],
    [['-rabbitmq-vhost', '/'], [['DALGA_RABBITMQ_VHOST', '/']]],
    [['-lease=5s', '-lease', '6s'], [['DALGA_LEASE', '6s']]],
    [['--debug=true'], [['DALGA_DEBUG', 'true']]],
    [['-debug=false'], [['DALGA_DEBUG', 'false']]],
    [['-create-table-at-start'], [['DALGA_CREATE_TABLE_AT_START', 'true']]],
  ];
  for (const [args, values] of cases) {
    const flags = parseFlags(args);
    t.strictSame(flags.errors, [], args.join(' '));
    t.strictSame([...flags.values], values, args.join(' '));
  }
});

t.test('what to do', async (t) => {
  const cases: [string[], string][] = [
    [[], 'serve'],
    [['-create-table'], 'create-table'],
    [['--create-table', '-debug'], 'create-table'],
    [['-create-table=true'], 'create-table'],
    [['-create-table=false'], 'serve'],
    [['-h'], 'help'],
    [['-help'], 'help'],
    [['--help'], 'help'],
    [['-version'], 'version'],
    [['--version', '-create-table'], 'version'],
    [['-version', '-h'], 'help'],
  ];
  for (const [args, action] of cases) t.equal(parseFlags(args).action, action, args.join(' '));
});

t.test('-reset-watermark takes a time, -new-tag nothing', async (t) => {
  const time = '2026-01-31T12:00:00Z';
  t.match(parseFlags(['-reset-watermark', time]), { action: 'reset-watermark', argument: time, errors: [] });
  t.strictSame(parseFlags(['-reset-watermark=']).errors, [
    '-reset-watermark needs a time such as 2026-01-31T12:00:00Z',
  ]);
  t.match(parseFlags(['-new-tag']), { action: 'new-tag', argument: undefined, errors: [] });
});

t.test('-import-table takes the name of a table', async (t) => {
  const spellings = [
    ['-import-table', 'old'],
    ['--import-table=old'],
    ['-create-table', '-import-table=old'],
  ];
  for (const args of spellings)
    t.match(parseFlags(args), { action: 'import-table', argument: 'old', errors: [] }, args.join(' '));
  t.match(parseFlags(['-import-table=old', '-h']), { action: 'help', argument: undefined });
  const needs = '-import-table needs a value (a value that begins with a dash: -import-table=VALUE)';
  t.strictSame(parseFlags(['-import-table']).errors, [needs]);
  t.strictSame(parseFlags(['-import-table', '-debug']).errors, [needs]);
  t.strictSame(parseFlags(['-import-table=']).errors, ['-import-table needs the name of a table']);
  t.strictSame(parseFlags(['-import-tabel', 'x']).errors, [
    'unknown flag -import-tabel, did you mean -import-table?',
  ]);
});

t.test('what is refused', async (t) => {
  const cases: [string[], string[]][] = [
    [['-mysql-hots', 'db'], ['unknown flag -mysql-hots, did you mean -mysql-host?']],
    [['-mysql-hots=db'], ['unknown flag -mysql-hots, did you mean -mysql-host?']],
    [['-q'], ['unknown flag -q']],
    [['-mysql_host'], ['unknown flag -..., did you mean -mysql-host?']],
    [['-mysql-host'], ['-mysql-host needs a value (a value that begins with a dash: -mysql-host=VALUE)']],
    [
      ['-mysql-host', '-debug'],
      ['-mysql-host needs a value (a value that begins with a dash: -mysql-host=VALUE)'],
    ],
    [['serve'], ['argument 1 is not a flag, nor the value of one']],
    [['-debug', 'x'], ['argument 2 is not a flag, nor the value of one']],
    [['-'], ['argument 1 is not a flag, nor the value of one']],
    [['--'], ['argument 1 is not a flag, nor the value of one']],
    [['---debug'], ['argument 1 is not a flag, nor the value of one']],
    [[''], ['argument 1 is not a flag, nor the value of one']],
    [['-debug', 'false'], ['-debug takes its value behind an equals sign: -debug=false']],
    [['-create-table=maybe'], ['-create-table takes no value but =true or =false']],
    [
      ['-a', 'x', 'y'],
      ['unknown flag -a', 'argument 3 is not a flag, nor the value of one'],
    ],
  ];
  for (const [args, errors] of cases) t.strictSame(parseFlags(args).errors, errors, args.join(' '));
  t.equal(
    parseFlags(['-mysql-host', '-debug']).values.get('DALGA_DEBUG'),
    'true',
    'the next flag still counts',
  );
});

t.test('the nearest name', async (t) => {
  const known = ['mysql-host', 'mysql-port', 'debug'];
  t.equal(nearest('mysql-hst', known), 'mysql-host');
  t.equal(nearest('debg', known), 'debug');
  t.equal(nearest('x', known), undefined);
  t.equal(nearest('completely-different', known), undefined);
});

t.test('the help text names every setting with its variable and default, in 92 columns', async (t) => {
  const lines = helpText('1.2.3').split('\n');
  t.match(lines[0], /^dalga 1\.2\.3: /);
  t.strictSame(
    lines.filter((line) => line.length > 92),
    [],
  );
  for (const name of settingNames) {
    const setting: Setting = settings[name];
    t.ok(
      lines.some((line) => line.split(' ')[2] === `-${flagOf(name)}`),
      `-${flagOf(name)}`,
    );
    const told = lines.find((line) => line.trim().startsWith(`${name}, default `))?.trim() ?? '';
    t.ok(told.startsWith(`${name}, default ${setting.default === '' ? 'empty' : setting.default}`), told);
    if (setting.secret) t.ok(lines.some((line) => line.includes(`${name}_FILE`)));
  }
  for (const flag of [
    'create-table',
    'import-table TABLE',
    'reset-watermark TIME',
    'new-tag',
    'h',
    'version',
  ])
    t.ok(lines.includes(`  -${flag}`), flag);
});
