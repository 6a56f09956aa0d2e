import { nearest } from '../nearest.ts';
import { fileForm, settingNames, settings } from './settings.ts';

/** Every variable that means something to Dalga, the `_FILE` forms included. */
export const variables: readonly string[] = settingNames.flatMap((name) =>
  'secret' in settings[name] ? [name, fileForm(name)] : [name],
);

/**
 * What Kubernetes sets in every pod for a service whose name begins with `dalga` (its documentation: Service,
 * "Environment variables"). DALGA_PORT is told from a person's mistake by its value.
 */
const injected = /^DALGA_(\w+_)?(SERVICE_(HOST|PORT)|SERVICE_PORT_\w+|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)$/;
const injectedAddress = /^(tcp|udp|sctp):\/\//;

export function isInjectedAddress(value: string): boolean {
  return injectedAddress.test(value);
}

/** The known variables of the environment. An empty one counts as unset: Compose and CI leave such behind. */
export function readEnvironment(env: Readonly<Record<string, string | undefined>>): Map<string, string> {
  const values = new Map<string, string>();
  for (const name of variables) {
    const value = env[name];
    if (value !== undefined && value !== '') values.set(name, value);
  }
  return values;
}

/** A warning for each DALGA_ variable that is not known. Not an error: orchestrators add some of their own. */
export function unknownVariables(env: Readonly<Record<string, string | undefined>>): string[] {
  const warnings: string[] = [];
  for (const [name, value] of Object.entries(env)) {
    // DALGA_URL is for the client's commands.
    if (!name.startsWith('DALGA_') || name === 'DALGA_URL' || variables.includes(name)) continue;
    if (injected.test(name) || (/_PORT$/.test(name) && isInjectedAddress(value ?? ''))) continue;
    const meant = nearest(name, variables);
    warnings.push(
      `unknown variable ${name} is ignored${meant === undefined ? '' : `, did you mean ${meant}?`}`,
    );
  }
  return warnings;
}
