import { readFileSync } from 'node:fs';
import t from 'tap';
import { settingsTable } from '../src/config/describe.ts';
import { type Setting, settingNames, settings } from '../src/config/settings.ts';
import { jsonSchema } from '../src/config/validate.ts';

t.test('the schema has each setting with its default and description', async (t) => {
  const { properties } = jsonSchema();
  t.strictSame(Object.keys(properties), settingNames);
  for (const name of settingNames) {
    const setting: Setting = settings[name];
    t.match(properties[name], { description: setting.description });
    t.equal(String((properties[name] as { default: unknown }).default), setting.default, name);
    t.notOk(setting.description.endsWith('.') || setting.description.includes('|'), 'fits into a table');
  }
});

const readme = new URL('../../README.md', import.meta.url);

t.test("the README's table is that of the settings", async (t) => {
  const cells = (text: string) =>
    text.split('\n').flatMap((line) => {
      const row = line.split('|').map((cell) => cell.trim());
      return /^`DALGA_/.test(row[1] ?? '') ? [row] : [];
    });
  t.strictSame(cells(readFileSync(readme, 'utf8')), cells(settingsTable()));
});
