/**
 * The catalogue of errors: every refusal that a client or an operator can meet has a stable code here.
 * Across threads errors travel as plain data (`PlainError`), since a cloned Error loses its name and code.
 */
const catalogue = {
  invalid_parameter: { status: 400, title: 'A parameter is invalid' },
  unknown_parameter: { status: 400, title: 'A parameter is not known' },
  duplicate_parameter: { status: 400, title: 'A parameter was given more than once' },
  malformed_request: { status: 400, title: 'The request cannot be read' },
  not_found: { status: 404, title: 'Not found' },
  method_not_allowed: { status: 405, title: 'The method is not allowed here' },
  not_acceptable: { status: 406, title: 'What is asked for is not to be had' },
  request_timeout: { status: 408, title: 'The request took too long to arrive' },
  precondition_failed: { status: 412, title: 'The precondition does not hold' },
  body_too_large: { status: 413, title: 'The body is too large' },
  uri_too_long: { status: 414, title: 'The URI is too long' },
  unsupported_media_type: { status: 415, title: 'The media type is not supported' },
  too_many_backfills: { status: 429, title: 'Too many backfills and runs by hand are open' },
  headers_too_large: { status: 431, title: 'The request headers are too large' },
  internal: { status: 500, title: 'Internal error' },
  not_ready: { status: 503, title: 'Dalga is not ready for this' },
  not_owner: { status: 503, title: 'Another instance owns the table' },
  database_unavailable: { status: 503, title: 'MySQL cannot be used now' },
  outcome_unknown: { status: 503, title: 'Whether the change was stored is not known' },
  stopping: { status: 503, title: 'Dalga is stopping' },
  too_many_listeners: { status: 503, title: 'Too many listen to the events' },
  insufficient_memory: { status: 507, title: 'The job does not fit into the memory limit' },
} as const;

export type ErrorCode = keyof typeof catalogue;

/** An error of the catalogue. `parameter` names the field that is at fault, where there is one. */
export class DalgaError extends Error {
  override readonly name = 'DalgaError';
  readonly code: ErrorCode;
  readonly status: number;
  readonly title: string;
  readonly parameter: string | undefined;

  constructor(code: ErrorCode, detail: string, options: { parameter?: string; cause?: unknown } = {}) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = catalogue[code].status;
    this.title = catalogue[code].title;
    this.parameter = options.parameter;
  }
}

/**
 * A fault that ends the start-up (or the process), told to a person in one message: which server, at which
 * address, and what to set. `exitCode`: 1 for a fault at run time, 2 for wrong configuration or set-up.
 */
export class StartupError extends Error {
  override readonly name = 'StartupError';
  readonly exitCode: number;
  /** Whether waiting may help: the server cannot be reached, rather than refusing. */
  readonly transient: boolean;

  constructor(message: string, options: { exitCode?: number; transient?: boolean; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.exitCode = options.exitCode ?? 2;
    this.transient = options.transient ?? false;
  }
}

/** What refuses a parameter. @param rule goes on after the parameter's name */
export function invalidParameter(parameter: string, rule: string): DalgaError {
  return new DalgaError('invalid_parameter', `${parameter} ${rule}`, { parameter });
}

/** An error as it crosses a thread boundary. */
export type PlainError = {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly stack?: string;
};

export function toPlainError(error: unknown): PlainError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) };
  const code = (error as { code?: unknown }).code;
  return {
    name: error.name,
    message: error.message || String(code ?? error.name),
    ...(typeof code === 'string' ? { code } : {}),
    ...(error.stack === undefined ? {} : { stack: error.stack }),
  };
}
