/** Reads the notation that {@link moduleText} writes, so that data can be checked against the text itself. */
import type { AsnComponent, AsnModule, AsnType } from './module.js';

/** A module's text that cannot be read. */
export class ModuleSyntaxError extends Error {
  override readonly name = 'ModuleSyntaxError';
}

/** @throws {ModuleSyntaxError} for anything outside of the subset that this package generates. */
export function parseModule(text: string): AsnModule {
  return new Parser(text).module();
}

class Parser {
  private readonly tokens: string[];
  private at = 0;

  constructor(text: string) {
    const plain = text.replaceAll(/--[^\n]*/g, ' ');
    this.tokens = plain.match(/::=|\.\.|[A-Za-z][A-Za-z0-9-]*|-?\d+|[{}()[\],]|\S/g) ?? [];
  }

  module(): AsnModule {
    const name = this.name();
    for (const token of ['DEFINITIONS', 'EXPLICIT', 'TAGS', '::=', 'BEGIN']) this.expect(token);
    const types = new Map<string, AsnType>();
    while (!this.skip('END')) {
      const type = this.name();
      this.expect('::=');
      if (types.has(type)) this.fail(`type ${type} is defined twice`);
      types.set(type, this.type());
    }
    const [root] = types.keys();
    if (root === undefined) this.fail('there are no types');
    for (const type of types.values()) this.resolve(type, types);
    return { name, root, types };
  }

  private type(): AsnType {
    const word = this.next();
    switch (word) {
      case 'INTEGER': {
        const [min, max] = this.range();
        return { kind: 'integer', min, max };
      }
      case 'BOOLEAN':
        return { kind: 'boolean' };
      case 'NULL':
        return { kind: 'null' };
      case 'UTF8String':
        return { kind: 'text' };
      case 'OCTET':
        this.expect('STRING');
        return { kind: 'octets', ...this.size() };
      case 'SEQUENCE':
        return this.peek() === '{' ? { kind: 'sequence', components: this.components() } : this.listType();
      case 'CHOICE':
        return { kind: 'choice', alternatives: this.components().map(({ name, tag, type }) => ({ name, tag, type })) };
      default:
        if (!/^[A-Z]/.test(word)) this.fail(`'${word}' is no type`);
        return { kind: 'reference', to: word };
    }
  }

  private listType(): AsnType {
    const size = this.size();
    this.expect('OF');
    return { kind: 'list', of: this.type(), ...size };
  }

  private components(): AsnComponent[] {
    this.expect('{');
    const components: AsnComponent[] = [];
    if (this.skip('}')) return components;
    do {
      const name = this.name();
      let tag: number | undefined;
      if (this.skip('[')) {
        tag = Number(this.integer());
        this.expect(']');
      }
      const type = this.type();
      components.push({ name, tag, type, optional: this.skip('OPTIONAL'), comment: '' });
    } while (this.skip(','));
    this.expect('}');
    return components;
  }

  private size(): { min: number; max: number } {
    this.expect('(');
    this.expect('SIZE');
    const [min, max] = this.range();
    this.expect(')');
    return { min: Number(min), max: Number(max) };
  }

  /** `(n)` or `(n..m)`. */
  private range(): [bigint, bigint] {
    this.expect('(');
    const min = this.integer();
    const max = this.skip('..') ? this.integer() : min;
    this.expect(')');
    return [min, max];
  }

  private integer(): bigint {
    const token = this.next();
    if (!/^-?\d+$/.test(token)) this.fail(`'${token}' is no number`);
    return BigInt(token);
  }

  private name(): string {
    const token = this.next();
    if (!/^[A-Za-z](-?[A-Za-z0-9])*$/.test(token)) this.fail(`'${token}' is no name`);
    return token;
  }

  private resolve(type: AsnType, types: ReadonlyMap<string, AsnType>): void {
    if (type.kind === 'reference' && !types.has(type.to)) this.fail(`type ${type.to} is not defined`);
    if (type.kind === 'list') this.resolve(type.of, types);
    if (type.kind === 'choice') for (const one of type.alternatives) this.resolve(one.type, types);
    if (type.kind === 'sequence') for (const one of type.components) this.resolve(one.type, types);
  }

  private peek(): string | undefined {
    return this.tokens[this.at];
  }

  private next(): string {
    return this.tokens[this.at++] ?? this.fail('the text ends');
  }

  private skip(token: string): boolean {
    if (this.peek() !== token) return false;
    this.at++;
    return true;
  }

  private expect(token: string): void {
    const found = this.next();
    if (found !== token) this.fail(`'${token}' is expected, not '${found}'`);
  }

  private fail(message: string): never {
    throw new ModuleSyntaxError(`token ${this.at}: ${message}`);
  }
}
