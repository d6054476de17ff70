/** Names that changed without a change of the wire. Facts about QEMU's history. */

const SECTIONS: readonly (readonly string[])[] = [
  ['ICH9 LPC', 'ICH9-LPC'],
  ['e1000', 'e1000-82540em'],
];

/** Of any description: how devices called their PCI part over the years. */
const PCI_PARENT = ['dev', 'pci_dev', 'card', 'parent_obj', 'pci'];

const FIELDS: { readonly [description: string]: readonly (readonly string[])[] } = {
  // 10.0 copies the number before it sends it.
  hpet: [['num_timers', 'num_timers_save']],
  apic: [['timer', 'timer_expiry']],
  PIIX3: [['pci_irq_levels', 'pci_irq_levels_vmstate']],
  piix4_pm: [
    ['pci0_status', 'acpi_pci_hotplug.acpi_pcihp_pci_status[0x0]'],
    ['pm1a.sts', 'ar.pm1.evt.sts'],
    ['pm1a.en', 'ar.pm1.evt.en'],
    ['pm1_cnt.cnt', 'ar.pm1.cnt.cnt'],
    ['tmr.timer', 'ar.tmr.timer'],
    ['tmr.overflow_time', 'ar.tmr.overflow_time'],
    ['gpe', 'ar.gpe'],
  ],
  cirrus_vga: [
    ['hw_cursor_x', 'vga.hw_cursor_x'],
    ['hw_cursor_y', 'vga.hw_cursor_y'],
  ],
  'usb-mouse': [['usb-ptr-queue', 'HIDPointerEventQueue']],
  'usb-tablet': [['usb-ptr-queue', 'HIDPointerEventQueue']],
};

function others(groups: readonly (readonly string[])[], name: string): string[] {
  return groups.filter((group) => group.includes(name)).flatMap((group) => group.filter((one) => one !== name));
}

/** Other names of a section. */
export function sectionAliases(name: string): string[] {
  return others(SECTIONS, name);
}

/** Other names of a field in a description, or of a description in a section. */
export function nameAliases(description: string, name: string): string[] {
  return [...others(FIELDS[description] ?? [], name), ...others([PCI_PARENT], name)];
}
