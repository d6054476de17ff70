/** Checks that many system instructions begin with. */
import { gp } from './exceptions';
import { cpl } from './state';

/** #GP(0) outside of ring 0. */
@inline export function privileged(): void {
  if (cpl()) gp(0);
}
