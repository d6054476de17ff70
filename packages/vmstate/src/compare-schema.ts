import type { SchemaDescription, SchemaField, SchemaSection } from './schema.js';

/**
 * Every place where a section's schema is not that of a dump, field by field: names, order, versions, tests, sizes, subsections. Sizes of
 * structures are not compared (a dump shows those of memory), nor those that are 0 on one side.
 *
 * Stricter than the checker, which asks only whether a load works: this is for descriptions that are meant to be the same.
 */
export function compareSchema(ours: SchemaSection, theirs: SchemaSection): string[] {
  const found: string[] = [];
  if (ours.version_id !== theirs.version_id) found.push(`version ${ours.version_id}, expected ${theirs.version_id}`);
  if (ours.Description && theirs.Description)
    compareDescriptions(found, theirs.Description.name, ours.Description, theirs.Description);
  else if (ours.Description || theirs.Description) found.push('only one side has a description');
  return found;
}

function compareDescriptions(found: string[], path: string, ours: SchemaDescription, theirs: SchemaDescription): void {
  for (const key of ['name', 'version_id', 'minimum_version_id'] as const) {
    if (ours[key] !== theirs[key]) found.push(`${path}: ${key} ${ours[key]}, expected ${theirs[key]}`);
  }
  const [fields, expected] = [ours.Fields ?? [], theirs.Fields ?? []];
  for (let i = 0; i < Math.max(fields.length, expected.length); i++) {
    const [field, other] = [fields[i], expected[i]];
    if (field?.field !== other?.field) {
      found.push(`${path}[${i}]: '${field?.field ?? 'nothing'}', expected '${other?.field ?? 'nothing'}'`);
      break;
    }
    compareFields(found, `${path}.${field!.field}`, field!, other!);
  }
  compareSubsections(found, path, ours.Subsections ?? [], theirs.Subsections ?? []);
}

function compareFields(found: string[], path: string, ours: SchemaField, theirs: SchemaField): void {
  for (const key of ['version_id', 'field_exists'] as const) {
    if (ours[key] !== theirs[key]) found.push(`${path}: ${key} ${ours[key]}, expected ${theirs[key]}`);
  }
  if (ours.Description && theirs.Description) compareDescriptions(found, path, ours.Description, theirs.Description);
  else if (ours.Description || theirs.Description)
    found.push(`${path}: ${ours.Description ? 'a' : 'no'} structure, expected ${theirs.Description ? 'one' : 'none'}`);
  else if (ours.size !== theirs.size && ours.size !== 0 && theirs.size !== 0)
    found.push(`${path}: size ${ours.size}, expected ${theirs.size}`);
}

function compareSubsections(
  found: string[],
  path: string,
  ours: readonly SchemaDescription[],
  theirs: readonly SchemaDescription[],
): void {
  const names = (list: readonly SchemaDescription[]) => list.map(({ name }) => name).join(', ') || 'none';
  if (names(ours) !== names(theirs)) found.push(`${path}: subsections ${names(ours)}, expected ${names(theirs)}`);
  for (const subsection of ours) {
    const other = theirs.find(({ name }) => name === subsection.name);
    if (other) compareDescriptions(found, `${path}/${subsection.name}`, subsection, other);
  }
}
