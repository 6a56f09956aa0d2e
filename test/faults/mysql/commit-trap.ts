import type { TcpProxy } from '../../helpers/proxy.ts';

export type CommitTrap = {
  /** Whether the COMMIT, and then the server's answer, is held back: until it resolves. */
  readonly commit?: Promise<void>;
  readonly answer?: Promise<void>;
  /** Hears what the client says on its other connections from then on; a promise holds that back. */
  readonly others?: (statement: string) => unknown;
};

export const never = new Promise<void>(() => {});

/** A promise to be resolved by hand. */
export function gate(): { readonly opened: Promise<void>; open: () => void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

/**
 * Waits for the next transaction that writes a job, and does this to its COMMIT.
 *
 * @returns `sent` resolves when the client has sent it, `answered` when the server has answered it
 */
export function trapCommit(
  proxy: TcpProxy,
  { commit, answer, others }: CommitTrap,
): { readonly sent: Promise<void>; readonly answered: Promise<void> } {
  const sent = gate();
  const answered = gate();
  let writer = 0;
  let trapped = false;
  proxy.listen((from, data, connection) => {
    if (from === 'server') {
      if (!trapped || connection !== writer) return null;
      if (isLastAnswer(data)) answered.open();
      return answer;
    }
    const statement = data.toString('latin1');
    if (trapped) return connection === writer ? null : others?.(statement);
    if (isWriteOfJob(statement)) writer = connection;
    if (connection !== writer || !isCommit(data)) return null;
    trapped = true;
    sent.open();
    return commit;
  });
  return { sent: sent.opened, answered: answered.opened };
}

export function isWriteOfJob(statement: string): boolean {
  return statement.includes('INSERT INTO `dalga` ');
}

/** The statements that end a transaction go together, and in one piece where they are short. */
export function isCommit(data: Buffer): boolean {
  return data.toString('latin1').endsWith('; COMMIT');
}

/** Whether it ends with an OK packet that says that no other answer follows; rows are affected by the hundred at most. */
function isLastAnswer(data: Buffer): boolean {
  let last = data;
  for (let rest = data; rest.length > 0; rest = rest.subarray(4 + rest.readUIntLE(0, 3))) last = rest;
  // Length, number, 0, affected rows, last id, status.
  const MORE_RESULTS = 8;
  return (last.readUInt16LE(7) & MORE_RESULTS) === 0;
}
