import { TFTP } from './spec.js';

/** A file that guests may read. */
export interface ServedFile {
  readonly size: number;
  /** Fills `target` from `offset` on, as far as the file goes. @returns bytes read. */
  read(offset: number, target: Uint8Array): number;
  close(): void;
}

/** What a guest finds behind TFTP. */
export interface FileServer {
  /** @returns undefined for what is not there, or is nobody's business. */
  open(name: string): ServedFile | undefined;
}

/** At most so many transfers at once: the oldest one is given up for another. */
const TRANSFERS_MOST = 16;
/** Bytes of a file's name with its options. */
const REQUEST_MOST = 1024;

const letters = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

interface Transfer {
  readonly file: ServedFile;
  readonly blockSize: number;
  /** Blocks that the client has. */
  acknowledged: number;
}

/**
 * A trivial file transfer server, for reading. [1350], options blksize [2348] and tsize [2349] as negotiated by [2347].
 * It has no clock: a client that missed something acknowledges again what it has, and gets the next block again.
 */
export class TftpServer {
  private readonly transfers = new Map<string, Transfer>();

  constructor(private readonly files: FileServer) {}

  /**
   * @param client stands for one address and port.
   * @returns what to send back to it, if anything.
   */
  receive(client: string, message: Uint8Array): Uint8Array | undefined {
    if (message.length < 4) return undefined;
    const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
    switch (view.getUint16(0)) {
      case TFTP.READ:
        return this.begin(client, message.subarray(2));
      case TFTP.WRITE:
        return failure(TFTP.ACCESS_VIOLATION, 'this server is for reading');
      case TFTP.ACKNOWLEDGE:
        return this.goOn(client, view.getUint16(2));
      case TFTP.ERROR:
        this.end(client);
        return undefined;
      default:
        return undefined;
    }
  }

  close(): void {
    for (const client of [...this.transfers.keys()]) this.end(client);
  }

  private begin(client: string, request: Uint8Array): Uint8Array | undefined {
    if (request.length > REQUEST_MOST) return failure(TFTP.ILLEGAL, 'request too long');
    const words = String.fromCharCode(...request).split('\0');
    if (words.pop() !== '' || words.length < 2) return undefined;
    const [name = '', mode = '', ...options] = words;
    if (mode.toLowerCase() !== 'octet') return failure(TFTP.ILLEGAL, 'only octet mode');
    this.end(client);
    const file = this.files.open(name.replaceAll('\\', '/').replace(/^\/+/, ''));
    if (!file) return failure(TFTP.NOT_FOUND, 'file not found');
    if (this.transfers.size >= TRANSFERS_MOST) this.end(this.transfers.keys().next().value!);
    const agreed: string[] = [];
    let blockSize: number = TFTP.BLOCK;
    for (let i = 0; i + 1 < options.length; i += 2) {
      const option = options[i]!.toLowerCase();
      const value = Number(options[i + 1]);
      if (option === 'tsize') agreed.push(option, String(file.size));
      else if (option === 'blksize' && Number.isInteger(value) && value >= TFTP.BLOCK_LEAST) {
        blockSize = Math.min(value, TFTP.BLOCK_MOST);
        agreed.push(option, String(blockSize));
      }
    }
    this.transfers.set(client, { file, blockSize, acknowledged: 0 });
    if (agreed.length === 0) return this.block(client);
    return packet(TFTP.OPTIONS, letters(`${agreed.join('\0')}\0`));
  }

  private goOn(client: string, block: number): Uint8Array | undefined {
    const transfer = this.transfers.get(client);
    if (!transfer) return failure(TFTP.UNKNOWN_TRANSFER, 'no such transfer');
    // The block's number has 16 bits; large files go round.
    if (block === ((transfer.acknowledged + 1) & 0xffff)) transfer.acknowledged++;
    else if (block !== (transfer.acknowledged & 0xffff)) return undefined;
    return this.block(client);
  }

  /** The block behind the last one acknowledged; one that is not full is the last. */
  private block(client: string): Uint8Array | undefined {
    const { file, blockSize, acknowledged } = this.transfers.get(client)!;
    const offset = acknowledged * blockSize;
    if (offset > file.size) {
      this.end(client);
      return undefined;
    }
    const data = new Uint8Array(Math.min(blockSize, file.size - offset) + 2);
    new DataView(data.buffer).setUint16(0, (acknowledged + 1) & 0xffff);
    if (file.read(offset, data.subarray(2)) === data.length - 2) return packet(TFTP.DATA, data);
    this.end(client);
    return failure(0, 'the file cannot be read');
  }

  private end(client: string): void {
    this.transfers.get(client)?.file.close();
    this.transfers.delete(client);
  }
}

function packet(operation: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(2 + body.length);
  new DataView(bytes.buffer).setUint16(0, operation);
  bytes.set(body, 2);
  return bytes;
}

const failure = (code: number, text: string): Uint8Array => packet(TFTP.ERROR, Uint8Array.of(0, code, ...letters(text), 0));
