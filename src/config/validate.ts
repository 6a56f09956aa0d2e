import { envSchema } from 'env-schema';
import { isInjectedAddress } from './environment.ts';
import { parseWithin, type Quantity } from './quantity.ts';
import {
  flagOf,
  ruleOf,
  type Setting,
  type SettingName,
  settingNames,
  settings,
  type Values,
} from './settings.ts';

/** Where the flag and the variable name the same setting, both are told: `DALGA_DEBUG (-debug)`. */
export function nameOf(variable: string): string {
  return `${variable} (-${flagOf(variable)})`;
}

/** The settings as a JSON schema, with `quantity` and `maxBytes` as keywords of our own. */
export function jsonSchema(): { type: 'object'; properties: Record<SettingName, object> } {
  const properties = Object.fromEntries(settingNames.map((name) => [name, propertyOf(settings[name])]));
  return { type: 'object', properties: properties as Record<SettingName, object> };
}

function propertyOf(setting: Setting): object {
  const { description, default: initial } = setting;
  switch (setting.type) {
    case 'text': {
      const limit = setting.maxBytes === undefined ? {} : { maxBytes: setting.maxBytes };
      return { type: 'string', pattern: setting.pattern, ...limit, default: initial, description };
    }
    case 'boolean':
      return { type: 'boolean', default: initial === 'true', description };
    case 'choice':
      return { type: 'string', enum: setting.choices, default: initial, description };
    case 'quantity':
      return { type: 'string', quantity: setting.quantity, default: initial, description };
  }
}

/** The values, with defaults for what was not given, or all that is wrong with them. */
export function validate(
  given: ReadonlyMap<string, string>,
): Values | { readonly errors: readonly string[] } {
  try {
    return envSchema<Values>({
      schema: jsonSchema(),
      data: Object.fromEntries(given),
      env: false,
      ajv: {
        customOptions(ajv) {
          ajv.addKeyword({ keyword: 'maxBytes', type: 'string', validate: fitsBytes, errors: false });
          ajv.addKeyword({
            keyword: 'quantity',
            type: 'string',
            modifying: true,
            errors: false,
            validate: convertQuantity,
          });
          return ajv;
        },
      },
    });
  } catch (error) {
    const failures = (error as { errors?: { instancePath: string }[] }).errors;
    if (failures === undefined) throw error;
    const wrong = new Set(failures.map((failure) => failure.instancePath.slice(1) as SettingName));
    return {
      errors: settingNames.filter((name) => wrong.has(name)).map((name) => explain(name, given.get(name))),
    };
  }
}

function fitsBytes(limit: number, data: string): boolean {
  return Buffer.byteLength(data) <= limit;
}

/** Puts the number in the place of the text. */
function convertQuantity(
  quantity: Quantity,
  data: string,
  _schema?: unknown,
  place?: { parentData: Record<string, unknown>; parentDataProperty: string | number },
): boolean {
  const value = parseWithin(data, quantity);
  if (value !== undefined && place !== undefined) place.parentData[place.parentDataProperty] = value;
  return value !== undefined;
}

function explain(name: SettingName, value = ''): string {
  const setting: Setting = settings[name];
  const rule = `${nameOf(name)} must be ${ruleOf(setting)}`;
  if (setting.secret) return rule;
  if (name.endsWith('_PORT') && isInjectedAddress(value)) {
    // A service called dalga-mysql or dalga-rabbitmq is enough for this.
    return `${rule}; Kubernetes sets it for a service of that name: set it yourself, or enableServiceLinks: false`;
  }
  return `${rule}, not ${value === '' ? 'empty' : JSON.stringify(value.slice(0, 60))}`;
}
