import { isServerWide } from '../../database/sql-errors.ts';
import { DalgaError } from '../../errors.ts';
import { Fenced } from './owner-session.ts';

/** What requests are told when they cannot be carried out. */

export function stopping(): DalgaError {
  return new DalgaError('stopping', 'this instance is stopping');
}

export function refusal(error: unknown): DalgaError {
  if (error instanceof DalgaError) return error;
  if (error instanceof Fenced) return new DalgaError('not_owner', 'another instance owns the table now');
  if (isServerWide(error)) {
    return new DalgaError('database_unavailable', `MySQL refuses to write: ${(error as Error).message}`);
  }
  return new DalgaError('internal', 'MySQL refused what the request wants to write', { cause: error });
}

export function outcomeUnknown(): DalgaError {
  return new DalgaError(
    'outcome_unknown',
    'the connection to MySQL was lost while the change was being stored',
  );
}

export function isUnavailable(error: unknown): error is DalgaError {
  return error instanceof DalgaError && error.code === 'database_unavailable';
}

export function unexpected(): DalgaError {
  return new DalgaError('internal', 'a request got an answer that is not one of its own');
}
