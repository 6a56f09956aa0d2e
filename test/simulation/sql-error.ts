const MESSAGES: Readonly<Record<number, string>> = {
  1040: 'Too many connections',
  1062: "Duplicate entry for key 'key_hash'",
  1094: 'Unknown thread id',
  1205: 'Lock wait timeout exceeded; try restarting transaction',
  1213: 'Deadlock found when trying to get lock; try restarting transaction',
  1290: 'The MariaDB server is running with the --read-only option so it cannot execute this statement',
};

/** An error as the server sends it. */
export function sqlError(errno: number): Error {
  return Object.assign(new Error(MESSAGES[errno]), { errno, sqlState: 'HY000' });
}
