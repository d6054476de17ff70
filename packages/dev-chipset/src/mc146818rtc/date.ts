/** Conversions between a count of seconds and the registers. */
import { ALARM_ANY, B, PM, REGISTER } from './spec.js';

/** Years 0 to 9999, which is what century and year can hold. */
const FIRST_SECOND = -62_167_219_200n;
const LAST_SECOND = 253_402_300_799n;
const MINUTES = 60;
const HOURS = 24;

/** Writes the date `seconds` since 1970 into the time registers, in the format that register B asks for. */
export function putDate(cmos: Uint8Array, seconds: bigint, baseYear: number): void {
  const bounded = seconds < FIRST_SECOND ? FIRST_SECOND : seconds > LAST_SECOND ? LAST_SECOND : seconds;
  const date = new Date(Number(bounded) * 1000);
  const put = (register: number, value: number): void => {
    cmos[register] = encode(cmos, value);
  };
  put(REGISTER.SECONDS, date.getUTCSeconds());
  put(REGISTER.MINUTES, date.getUTCMinutes());
  cmos[REGISTER.HOURS] = encodeHour(cmos, date.getUTCHours());
  put(REGISTER.DAY_OF_WEEK, date.getUTCDay() + 1);
  put(REGISTER.DAY_OF_MONTH, date.getUTCDate());
  put(REGISTER.MONTH, date.getUTCMonth() + 1);
  const year = Math.max(0, date.getUTCFullYear() - baseYear);
  put(REGISTER.YEAR, year % 100);
  put(REGISTER.CENTURY, Math.floor(year / 100));
}

/** Seconds since 1970 that the time registers stand for, negative before; what overflows carries on. */
export function dateOf(cmos: Uint8Array, baseYear: number): bigint {
  const get = (register: number): number => decode(cmos, cmos[register]!);
  const date = new Date(0);
  date.setUTCFullYear(
    get(REGISTER.YEAR) + get(REGISTER.CENTURY) * 100 + baseYear,
    get(REGISTER.MONTH) - 1,
    get(REGISTER.DAY_OF_MONTH),
  );
  date.setUTCHours(decodeHour(cmos, cmos[REGISTER.HOURS]!), get(REGISTER.MINUTES), get(REGISTER.SECONDS));
  const seconds = Math.floor(date.getTime() / 1000);
  return BigInt(seconds);
}

/** Seconds from the time in the registers to the next moment that the alarm registers match, 1 to 86400; undefined if none does. */
export function secondsToAlarm(cmos: Uint8Array): number | undefined {
  const field = (register: number): number => decode(cmos, cmos[register]!);
  const alarm = (register: number, read: (value: number) => number): number | undefined =>
    cmos[register]! >= ALARM_ANY ? undefined : read(cmos[register]!);
  const second = field(REGISTER.SECONDS);
  const minute = field(REGISTER.MINUTES);
  const hour = decodeHour(cmos, cmos[REGISTER.HOURS]!);
  const alarmSecond = alarm(REGISTER.SECONDS_ALARM, (value) => decode(cmos, value));
  const alarmMinute = alarm(REGISTER.MINUTES_ALARM, (value) => decode(cmos, value));
  const alarmHour = alarm(REGISTER.HOURS_ALARM, (value) => decodeHour(cmos, value));

  for (let hours = 0; hours <= HOURS; hours++) {
    if (alarmHour !== undefined && (hour + hours) % HOURS !== alarmHour) continue;
    for (let m = hours === 0 ? minute : 0; m < MINUTES; m++) {
      if (alarmMinute !== undefined && m !== alarmMinute) continue;
      const first = hours === 0 && m === minute ? second + 1 : 0;
      const s = alarmSecond === undefined ? first : alarmSecond < first ? MINUTES : alarmSecond;
      if (s >= MINUTES) continue;
      const distance = hours * 3600 + (m - minute) * 60 + s - second;
      if (distance > 0) return distance;
    }
  }
  return undefined;
}

function encode(cmos: Uint8Array, value: number): number {
  return cmos[REGISTER.B]! & B.BINARY ? value : (Math.floor(value / 10) << 4) | (value % 10);
}

function decode(cmos: Uint8Array, value: number): number {
  return cmos[REGISTER.B]! & B.BINARY ? value : (value >> 4) * 10 + (value & 15);
}

function encodeHour(cmos: Uint8Array, hour: number): number {
  if (cmos[REGISTER.B]! & B.HOURS_24) return encode(cmos, hour);
  return encode(cmos, hour % 12 || 12) | (hour >= 12 ? PM : 0);
}

function decodeHour(cmos: Uint8Array, value: number): number {
  if (cmos[REGISTER.B]! & B.HOURS_24) return decode(cmos, value);
  return (decode(cmos, value & ~PM) % 12) + (value & PM ? 12 : 0);
}
