export * from './channel.js';
export { type Command, type DiscardRange, readCommand, writeCommand } from './command.js';
export {
  type Configuration,
  type ConfigurationSubsection,
  capabilitiesOf,
  readConfiguration,
  writeConfiguration,
} from './configuration.js';
export {
  type ConvertOptions,
  convertFromJson,
  convertToJson,
  convertToQemu,
  type EventSink,
  JsonEncoder,
  looksLikeJson,
  parseJson,
  withoutPages,
} from './convert.js';
export { StreamEncoder } from './encode.js';
export { hex, StreamError, type StreamErrorCode, type StreamErrorDetails, type StreamPlace } from './errors.js';
export type { DecodedBy, EventHandler, SectionEndEvent, SectionEvent, SectionType, StateEvent, StreamEvent } from './events.js';
export * from './format.js';
export { type IncomingOptions, type IncomingProgress, type IncomingResult, incoming } from './incoming.js';
export {
  type InspectedEntry,
  type InspectedSection,
  type Inspection,
  type InspectOptions,
  inspectStream,
  type PageCounts,
  type RamBlockSummary,
  type RamSummary,
} from './inspect.js';
export { EventsFromJson, eventToJson } from './json.js';
export * from './memory-channel.js';
export { type MigrateOptions, type Migration, migrate, saveSnapshot } from './outgoing.js';
export { checkedParameters, DEFAULT_PARAMETERS, type MigrationParameters, PARAMETERS } from './parameters.js';
export { type ParseOptions, parseStream } from './parse.js';
export { type MachineSummary, preflight, summarize } from './preflight.js';
export { ArrayMemory, applyRamRecord, type Inflate, type RamMemory } from './ram-memory.js';
export { RamReader, type RamReaderOptions } from './ram-reader.js';
export { type MappedRamHeader, pagePath, type RamBlockInfo, type RamHandler, type RamRecord } from './ram-records.js';
export { RamWriter } from './ram-writer.js';
export { StreamReader } from './reader.js';
export { type ReturnMessage, readReturnMessage, writePong, writeShut } from './return-path.js';
export { type RewriteOptions, Rewriter, rewrittenVmdesc } from './rewrite.js';
export { catalogueEntry, catalogueOf, type SectionCatalogue } from './section-decoder.js';
export type { MigrationInfo, MigrationRamInfo, MigrationStatus } from './statistics.js';
export { type FilterNote, filterNotes, findVmdesc, formatJson, parseVmdesc } from './vmdesc.js';
export { StreamWriter } from './writer.js';
export { applyXbzrle, decodeXbzrle, encodeXbzrleRuns, XbzrleError, type XbzrleRun } from './xbzrle.js';
