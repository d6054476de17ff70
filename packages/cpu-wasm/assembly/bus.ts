/** What the module imports: the machine's side of the CPU. All synchronous. */

// @ts-ignore: decorator
@external("bus", "portRead")
export declare function portRead(port: u32, size: u32): u32;
// @ts-ignore: decorator
@external("bus", "portWrite")
export declare function portWrite(port: u32, value: u32, size: u32): void;
/** Physical addresses go as f64: exact up to 2^53, no BigInt. */
// @ts-ignore: decorator
@external("bus", "mmioRead")
export declare function mmioRead(address: f64, size: u32): u32;
// @ts-ignore: decorator
@external("bus", "mmioWrite")
export declare function mmioWrite(address: f64, value: u32, size: u32): void;
// @ts-ignore: decorator
@external("bus", "acknowledge")
export declare function acknowledge(): u32;
/** Leaves the time-stamp counter in HOST_SLOT. */
// @ts-ignore: decorator
@external("bus", "timestamp")
export declare function timestamp(): void;
/** 32 random bits. */
// @ts-ignore: decorator
@external("bus", "random32")
export declare function random32(): u32;
/** An MSR that the machine owns (local APIC base …) changed. */
// @ts-ignore: decorator
@external("bus", "notify")
export declare function notify(what: u32): void;
/** For an observer (OBSERVED): `n` bytes at `host` were decoded for RIP. */
// @ts-ignore: decorator
@external("bus", "decoded")
export declare function decoded(host: u32, n: u32, alone: bool): void;
/** For an observer: an interrupt or exception is about to be delivered, which will return to `back`. */
// @ts-ignore: decorator
@external("bus", "delivering")
export declare function delivering(vector: u32, kind: u32, hasCode: bool, code: u32, backLow: u32, backHigh: u32): void;
/** Throws in the host, which calls `run` again: how helpers abandon an instruction. Does not return. */
// @ts-ignore: decorator
@external("bus", "unwind")
export declare function unwind(): void;
