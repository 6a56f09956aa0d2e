import { actionFlags } from './flags.ts';
import { flagOf, type Setting, settingNames, settings } from './settings.ts';

const WIDTH = 92;

/** The text of `-h`: every flag with its variable and default, in at most 92 columns. */
export function helpText(version: string): string {
  const lines = [
    `dalga ${version}: a job scheduler; jobs in MySQL, published to RabbitMQ at their times`,
    '',
    'Usage: dalga [flags]',
    '       dalga COMMAND [...]: on the jobs of a running Dalga; dalga help lists the commands',
    '',
    ...wrapped(
      'Each setting is a flag or an environment variable; the flag wins, and an empty variable counts as unset. ' +
        'Flags are written -name VALUE, -name=VALUE, --name VALUE or --name=VALUE; a boolean flag takes no value, ' +
        'or =true or =false. Times have a unit: 250ms, 8s, 1m, 2h. Sizes are bytes, or have K, M, G (of 1024).',
      '',
    ),
    '',
    'What to do instead of serving:',
  ];
  for (const [flag, description] of Object.entries(actionFlags))
    lines.push(`  -${flag}`, ...wrapped(description));
  lines.push('', 'Settings:');
  for (const name of settingNames) {
    const setting: Setting = settings[name];
    lines.push(
      `  -${flagOf(name)}${setting.type === 'boolean' ? '' : ` ${placeholderOf(setting)}`}`,
      ...wrapped(setting.description),
      ...wrapped(
        `${name}, default ${setting.default === '' ? 'empty' : setting.default}${limitsOf(setting)}`,
      ),
    );
    if (setting.secret)
      lines.push(...wrapped(`-${flagOf(name)}-file FILE (${name}_FILE): a file that holds it`));
  }
  lines.push(
    '',
    ...wrapped(
      'Exit codes: 0 done, or stopped cleanly; 1 a fault while running, or an import that refused jobs; 2 a wrong ' +
        'setting, or a start that was refused; 3 a stop that could not settle or list all in time.',
      '',
    ),
  );
  return `${lines.join('\n')}\n`;
}

/** The README's table of settings, in Markdown. */
export function settingsTable(): string {
  const rows = settingNames.map((name) => {
    const setting: Setting = settings[name];
    const file = setting.secret ? ` (or \`${name}_FILE\`)` : '';
    const initial = setting.default === '' ? 'empty' : `\`${setting.default}\``;
    return `| \`${name}\`${file} | \`-${flagOf(name)}\` | ${initial} | ${setting.description} |`;
  });
  return ['| variable | flag | default | meaning |', '| --- | --- | --- | --- |', ...rows, ''].join('\n');
}

function limitsOf(setting: Setting): string {
  return setting.type === 'quantity' ? ` (${setting.quantity.minimum} to ${setting.quantity.maximum})` : '';
}

function placeholderOf(setting: Setting): string {
  switch (setting.type) {
    case 'choice':
      return setting.choices.join('|');
    case 'quantity':
      return { count: 'NUMBER', time: 'TIME', size: 'BYTES' }[setting.quantity.unit];
    default:
      return 'TEXT';
  }
}

function wrapped(text: string, indent = '        '): string[] {
  const lines: string[] = [];
  let line = indent;
  for (const word of text.split(' ')) {
    if (line.length > indent.length && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = indent;
    }
    line += line.length > indent.length ? ` ${word}` : word;
  }
  lines.push(line);
  return lines;
}
