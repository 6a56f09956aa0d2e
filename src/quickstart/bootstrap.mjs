// `npm run quickstart`: from a fresh clone to a running scheduler. Plain JavaScript until the packages are
// there and the rest is compiled; then quickstart.ts takes over in this same process.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { step } from './progress.mjs';
import { build, checkNode, installPackages, root } from './setup.mjs';

try {
  checkNode();
  await installPackages(step);
  await build(step);
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
const compiled = join(root, 'dist', 'src', 'quickstart', 'quickstart.js');
const { quickstart } = await import(pathToFileURL(compiled).href);
process.exit(await quickstart({ root, step }));
