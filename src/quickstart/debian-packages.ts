import { spawn } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { findMysql, findProgram, findRabbitmq } from './programs.ts';

/** The Debian packages that a private MySQL and RabbitMQ need and that are not installed. */
export function missingPackages(): string[] {
  return [...(findMysql() ? [] : ['mariadb-server']), ...(findRabbitmq() ? [] : ['rabbitmq-server'])];
}

/** Why packages cannot be installed here, or undefined when they can. */
export function whyNoInstall(): string | undefined {
  if (!findProgram('apt-get')) return 'there is no apt-get here';
  if (process.getuid?.() !== 0) return 'apt-get needs root';
  return undefined;
}

/** Debian's package scripts ask this file before they start a service (man invoke-rc.d). */
const POLICY = '/usr/sbin/policy-rc.d';

/**
 * Installs packages, without what they only recommend and without starting their services. To be waited for even
 * when a person presses Ctrl-C: apt broken off half-way would leave a system that needs repair.
 */
export async function installDebianPackages(packages: readonly string[], detail: (text: string) => void) {
  const ownPolicy = !existsSync(POLICY);
  const restore = (): void => {
    if (ownPolicy) rmSync(POLICY, { force: true });
  };
  process.once('exit', restore);
  if (ownPolicy) writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    await aptGet(['update'], detail);
    await aptGet(['install', '--yes', '--no-install-recommends', ...packages], detail);
  } finally {
    restore();
    process.off('exit', restore);
  }
}

function aptGet(args: readonly string[], detail: (text: string) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('apt-get', ['--quiet', '-o', 'DPkg::Lock::Timeout=300', ...args], {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true, // out of reach of a terminal's Ctrl-C
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output = (output + text).slice(-4000);
        detail(text.trim().split('\n').at(-1) ?? '');
      });
    }
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`apt-get ${args[0]} failed (exit code ${code}):\n${output.trimEnd()}`));
    });
  });
}
