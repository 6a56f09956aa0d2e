import { fileForm, type SettingName, settingNames, settings } from './settings.ts';

export type SecretSource = {
  /** By variable. */
  readonly values: ReadonlyMap<string, string>;
  /** How a message calls a variable of this source. */
  readonly nameOf: (variable: string) => string;
  readonly readFile: (path: string) => string;
  /** Another source has the last word on this secret, so that its file need not even be there. */
  readonly decidedElsewhere: (name: SettingName) => boolean;
};

/**
 * Puts the content of each file that a `_FILE` form names in the place of its secret, without the newline that
 * editors and `echo` leave at its end.
 */
export function resolveSecrets(source: SecretSource): { values: Map<string, string>; errors: string[] } {
  const values = new Map(source.values);
  const errors: string[] = [];
  for (const name of settingNames) {
    const path = source.values.get(fileForm(name));
    if (!('secret' in settings[name]) || path === undefined) continue;
    values.delete(fileForm(name));
    if (source.decidedElsewhere(name)) continue;
    const file = source.nameOf(fileForm(name));
    if (source.values.has(name)) {
      errors.push(`${source.nameOf(name)} and ${file} must not both be given`);
      continue;
    }
    try {
      values.set(name, source.readFile(path).replace(/\r?\n$/, ''));
    } catch (error) {
      const reason = (error as { code?: string }).code ?? 'unknown fault';
      errors.push(
        `${file} must name a file that can be read; reading ${JSON.stringify(path)} gave ${reason}`,
      );
    }
  }
  return { values, errors };
}
