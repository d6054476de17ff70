/** By what a section is found. */
export interface SectionIdentity {
  readonly idstr: string;
  readonly instance: number;
  readonly alias?: number;
  readonly compat?: { readonly idstr: string; readonly instance: number };
}

/** Exact name with instance or alias; else the plain name that a section with a bus path also answers to. */
export function findSection<T extends SectionIdentity>(sections: readonly T[], idstr: string, instance: number): T | undefined {
  return (
    sections.find((own) => own.idstr === idstr && (own.instance === instance || own.alias === instance)) ??
    sections.find((own) => own.compat?.idstr === idstr && (own.compat.instance === instance || own.alias === instance))
  );
}

/** For an error: which instances there are of a name. */
export function instancesOf(sections: readonly SectionIdentity[], idstr: string): string {
  const instances = sections.filter((own) => own.idstr === idstr || own.compat?.idstr === idstr).map((own) => own.instance);
  return instances.length > 0 ? `instance ${instances.join(' or ')}` : 'a section of this machine';
}
