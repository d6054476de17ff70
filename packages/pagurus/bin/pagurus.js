#!/usr/bin/env node
import { main } from '@pagurus/cli';

// A reader that has seen enough (`pagurus inspect … | head`) is no defect.
process.stdout.on('error', (error) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});
process.exitCode = await main(process.argv.slice(2));
