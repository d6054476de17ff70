/**
 * The table of the virtual machine generation ID: where the guest finds the identifier, and the event that says it has changed.
 * [VMGENID] "Virtual Machine Generation ID", Microsoft; [ACPI] Advanced Configuration and Power Interface Specification 6.5.
 */
import { TABLE_HEADER, tableOf } from './acpi-tables.js';
import { type Aml, define, device, integer, method, name, packageOf, scope, text } from './aml.js';
import { add, element, equal, local, notify, returns, store, when } from './aml-statements.js';
import { bytes, concat, u32 } from './bytes.js';

/** The identifier's page and the address that firmware answers with; the identifier lies behind what looks like a table's header. */
export const VMGENID = { PAGE: 'etc/vmgenid_guid', ADDRESS: 'etc/vmgenid_addr', IDENTIFIER: 40, ALIGNMENT: 4096 } as const;

/** General-purpose event 5. */
const EVENT = '\\_GPE._E05';
const STATUS_CHANGE = 0x80;
const WORKS = 0x0f;

/** Offset of the page's address, which the loader fills in: behind the header, the name operator and the name. */
export const VMGENID_POINTER = TABLE_HEADER + 6;

/** A constant of four bytes whatever its value is. [ACPI] 20.2.3 */
const doubleWord = (value: number): Aml => concat(bytes(0x0c), u32(value));

export function vmgenidTable(): Uint8Array {
  return tableOf(
    { signature: 'SSDT', revision: 1, id: 'VMGENID' },
    define('VGIA', doubleWord(0)),
    scope(
      '\\_SB',
      device(
        'VGEN',
        define('_HID', text('QEMUVGID')),
        define('_CID', text('VM_Gen_Counter')),
        define('_DDN', text('VM_Gen_Counter')),
        method(
          '_STA',
          {},
          store(integer(WORKS), local(0)),
          when(equal(name('VGIA'), integer(0)), store(integer(0), local(0))),
          returns(local(0)),
        ),
        // The identifier's address, low and high half. [VMGENID]
        method(
          'ADDR',
          {},
          store(packageOf([integer(0), integer(0)]), local(0)),
          store(add(name('VGIA'), integer(VMGENID.IDENTIFIER)), element(local(0), 0)),
          returns(local(0)),
        ),
      ),
    ),
    method(EVENT, {}, notify('\\_SB.VGEN', integer(STATUS_CHANGE))),
  );
}
