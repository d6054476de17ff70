#!/usr/bin/env node
import { main } from '@pagurus/cli';

process.exitCode = await main(process.argv.slice(2));
