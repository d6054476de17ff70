// nativegen — runs random x86 instructions on the host CPU and records what they did.
//
// One process, one instruction at a time. A signal handler is the whole machine:
// sigreturn loads a complete register file (GPRs, flags, x87, SSE, CS/SS) that we
// wrote into the ucontext; the instruction runs at CPL 3 in 64-, 32- or 16-bit code;
// the code page around it is full of HLT, so whatever comes next raises #GP and the
// kernel hands the resulting register file back to the handler. See README.md.
//
//   nativegen gen  OUT seed=N per=N [modes=16,32,64] [cat=int,x87,...] [form=substr]
//   nativegen check FILE        re-run every vector on this host and compare
//   nativegen show FILE [first] [count]
//   nativegen forms
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

typedef uint8_t u8; typedef uint16_t u16; typedef uint32_t u32; typedef uint64_t u64;
typedef int8_t i8; typedef int32_t i32; typedef int64_t i64;

#define ARENA 0x10000u      // data: read/write, 64 KiB; 0x20000..0x2FFFF is never mapped
#define ARENA_SZ 0x10000u
#define CODE 0x30000u       // code: 8 KiB of HLT around the instruction; nothing mapped after it
#define CODE_SZ 0x2000u
enum { CS32 = 0x23, CS64 = 0x33, DSEL = 0x2b, CS16 = 0x07, DS16 = 0x0f };
enum { M16 = 1, M32 = 2, M64 = 4, MALL = 7 };
enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI };
enum { CF = 1, PF = 4, AF = 0x10, ZF = 0x40, SF = 0x80, DF = 0x400, OF = 0x800 };
#define KEEP 0xed5u         // the flag bits a vector states: CF PF AF ZF SF IF DF OF

// ---------------------------------------------------------------- random numbers
static u64 rs;
static u64 rnd(void) { // splitmix64
  u64 z = (rs += 0x9e3779b97f4a7c15ull);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}
static u32 below(u32 n) { return (u32)((rnd() >> 32) * n >> 32); }
static int pct(int p) { return below(100) < (u32)p; }
static u64 rint_(void) { // integers, weighted to the places where carries and signs change
  static const u64 k[] = {0, 1, 2, 3, 7, 8, 0x0f, 0x10, 0x1f, 0x20, 0x3f, 0x40, 0x7f, 0x80, 0x81, 0xff, 0x100,
    0x7fff, 0x8000, 0x8001, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0x80000001, 0xffffffff, 0x100000000,
    0x7fffffffffffffff, 0x8000000000000000, 0x8000000000000001, 0xffffffffffffffff, 0xfffffffffffffffe,
    0x5555555555555555, 0xaaaaaaaaaaaaaaaa, 0x0123456789abcdef, 0x9999999999999999, 0x0a0a0a0a0a0a0a0a};
  switch (below(6)) {
  case 0: return k[below(sizeof k / sizeof *k)];
  case 1: return (u64)1 << below(64);
  case 2: return ((u64)1 << below(64)) - 1;
  case 3: return (rnd() << below(64)) >> below(64);
  case 4: return (u64)(i64)(i8)rnd();
  default: return rnd();
  }
}
static u32 rf32(void) {
  static const u32 k[] = {0, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00000, 0x7f800001,
    0x7fa12345, 0xff923456, 0x7fffffff, 1, 0x80000001, 0x007fffff, 0x00800000, 0x7f7fffff, 0xff7fffff, 0x3f000000, 0x40000000,
    0x4f000000, 0xcf000000, 0x4effffff, 0x5f000000, 0xdf000000, 0x34000000, 0x33800000, 0x3f7fffff, 0x4b000000, 0x4b7fffff};
  if (pct(45)) return k[below(sizeof k / sizeof *k)];
  if (pct(60)) return ((u32)rnd() & 0x807fffff) | (0x70 + below(0x20)) << 23;
  return (u32)rnd();
}
static u64 rf64(void) {
  static const u64 k[] = {0, 1ull << 63, 0x3ff0000000000000, 0xbff0000000000000, 0x7ff0000000000000, 0xfff0000000000000,
    0x7ff8000000000000, 0xfff8000000000000, 0x7ff0000000000001, 0x7ff4123456789abc, 0xfff2345678912345, 0x7fffffffffffffff, 1,
    0x8000000000000001, 0x000fffffffffffff, 0x0010000000000000, 0x7fefffffffffffff, 0xffefffffffffffff, 0x3fe0000000000000,
    0x4000000000000000, 0x41e0000000000000, 0xc1e0000000000000, 0x41dfffffffc00000, 0x43e0000000000000, 0xc3e0000000000000,
    0x3cb0000000000000, 0x4330000000000000, 0x433fffffffffffff, 0x47efffffe0000000, 0x380fffffe0000000, 0x36a0000000000000};
  if (pct(45)) return k[below(sizeof k / sizeof *k)];
  if (pct(60)) return (rnd() & 0x800fffffffffffff) | (u64)(0x3f0 + below(0x20)) << 52;
  return rnd();
}
static void rf80(u8 *p) {
  static const struct { u64 m; u16 e; } k[] = {{0, 0}, {0, 0x8000}, {1ull << 63, 0x3fff}, {1ull << 63, 0xbfff}, {1ull << 63, 0x7fff},
    {1ull << 63, 0xffff}, {3ull << 62, 0x7fff}, {3ull << 62, 0xffff}, {0x8000000000000001, 0x7fff}, {0xa123456789abcdef, 0xffff},
    {1, 0}, {0x7fffffffffffffff, 0}, {1ull << 63, 0} /* pseudo-denormal */, {1ull << 63, 1}, {~0ull, 0x7ffe}, {~0ull, 0xfffe},
    {0x4000000000000000, 0x3fff} /* unnormal */, {0, 0x7fff} /* pseudo-infinity */, {0x1234, 0x7fff} /* pseudo-NaN */,
    {1ull << 63, 0x3ffe}, {1ull << 63, 0x4000}, {0xc90fdaa22168c235, 0x4000}, {0xc90fdaa22168c235, 0x3fff}, {0xb504f333f9de6484, 0x3ffe},
    {1ull << 63, 0x401d}, {1ull << 63, 0x401e}, {1ull << 63, 0xc01e}, {0xffffffff00000000, 0x401e}, {1ull << 63, 0x403e}, {1ull << 63, 0xc03e},
    {~0ull, 0x403d}, {1ull << 63, 0x400e}, {0xde0b6b3a763ffff0, 0x403a}, {1ull << 63, 0x3fbf}, {1ull << 63, 0x3fc0}, {1ull << 63, 0x43fe}, {1ull << 63, 0x3c00}};
  u64 m; u16 e;
  if (pct(45)) { u32 i = below(sizeof k / sizeof *k); m = k[i].m; e = k[i].e; }
  else if (pct(75)) { m = rnd() | 1ull << 63; if (pct(40)) m &= ~0ull << below(63); m |= 1ull << 63; e = (0x3fff - 20 + below(90)) | (pct(50) ? 0x8000 : 0); }
  else { m = rnd(); e = (u16)rnd(); if (e & 0x7fff) m |= 1ull << 63; }
  memcpy(p, &m, 8); memcpy(p + 8, &e, 2);
}
static void rbcd(u8 *p) {
  for (int i = 0; i < 9; i++) p[i] = pct(92) ? below(10) | below(10) << 4 : (u8)rnd();
  p[9] = pct(50) ? 0 : 0x80; if (pct(5)) p[9] |= (u8)rnd();
}

// ---------------------------------------------------------------- machine state
typedef struct {
  u64 r[16]; u64 rip; u32 fl;
  u16 fcw, fsw; u8 ftw; u8 phys[8][10]; u32 mxcsr; u8 xmm[16][16];
} St;
#define NST 256
static St bank[NST];              // initial states; a vector names one and overrides some GPRs
static u8 arena0[ARENA_SZ];       // initial arena

// zones of the arena, so that an operand meets data of its own kind
enum { Z_RAND, Z_STACK, Z_F32, Z_F64, Z_F80, Z_BCD, Z_INT, Z_CP64, Z_CP32, Z_CP16, Z_STR };
static const struct { u32 at, len, stride; } zone[] = {
  [Z_RAND] = {0x0100, 0x0e00, 1}, [Z_STACK] = {0x1000, 0x2000, 8}, [Z_F32] = {0x4000, 0x2000, 4}, [Z_F64] = {0x6000, 0x2000, 8},
  [Z_F80] = {0x8000, 0x1000, 16}, [Z_BCD] = {0x9000, 0x0800, 16}, [Z_INT] = {0xa000, 0x2000, 8}, [Z_CP64] = {0xc000, 0x0400, 8},
  [Z_CP32] = {0xc400, 0x0400, 4}, [Z_CP16] = {0xc800, 0x0400, 2}, [Z_STR] = {0xd000, 0x2000, 1}};

static void make_bank(u64 seed) {
  rs = seed ^ 0x5851f42d4c957f2dull;
  for (u32 i = 0; i < ARENA_SZ; i++) arena0[i] = (u8)rnd();
  for (u32 i = 0; i < zone[Z_F32].len; i += 4) { u32 v = rf32(); memcpy(arena0 + zone[Z_F32].at + i, &v, 4); }
  for (u32 i = 0; i < zone[Z_F64].len; i += 8) { u64 v = rf64(); memcpy(arena0 + zone[Z_F64].at + i, &v, 8); }
  for (u32 i = 0; i < zone[Z_F80].len; i += 16) rf80(arena0 + zone[Z_F80].at + i);
  for (u32 i = 0; i < zone[Z_BCD].len; i += 16) rbcd(arena0 + zone[Z_BCD].at + i);
  for (u32 i = 0; i < zone[Z_INT].len; i += 8) { u64 v = rint_(); memcpy(arena0 + zone[Z_INT].at + i, &v, 8); }
  for (u32 i = 0; i < 0x400; i += 8) { u64 v = CODE + below(CODE_SZ - 16); memcpy(arena0 + 0xc000 + i, &v, 8); }
  for (u32 i = 0; i < 0x400; i += 4) { u32 v = CODE + below(CODE_SZ - 16); memcpy(arena0 + 0xc400 + i, &v, 4); }
  for (u32 i = 0; i < 0x400; i += 2) { u16 v = below(CODE_SZ - 16); memcpy(arena0 + 0xc800 + i, &v, 2); }
  for (u32 i = 0xd000; i < 0xf000;) { u32 n = 1 + below(40); u8 c = pct(50) ? (u8)rnd() : "\0\xff" "Aa0"[below(5)]; while (n-- && i < 0xf000) arena0[i++] = c; }
  for (int i = 0; i < NST; i++) {
    St *s = &bank[i]; memset(s, 0, sizeof *s);
    for (int k = 0; k < 16; k++) s->r[k] = rint_();
    s->fl = 0x202 | (u32)(rnd() & (CF | PF | AF | ZF | SF | OF)) | (pct(25) ? DF : 0);
    s->fcw = 0x40 | (pct(88) ? 0x3f : below(64)) | (pct(60) ? 3 : below(4)) << 8 | (pct(50) ? 0 : below(4)) << 10;
    u32 top = below(8);
    s->fsw = top << 11 | (pct(30) ? (u16)(rnd() & 0x4700) : 0) | (pct(72) ? 0 : (u16)(rnd() & 0x7f));
    if (s->fsw & ~s->fcw & 0x3f) s->fsw |= 0x8080; else s->fsw &= ~0x8080;
    // mostly a plausible stack: 2..6 registers in use, growing down from TOP
    u32 used = 2 + below(5); s->ftw = 0; for (u32 k = 0; k < used; k++) s->ftw |= 1 << ((top + k) & 7);
    if (pct(22)) s->ftw = pct(40) ? 0xff : pct(30) ? 0 : (u8)rnd();
    for (int k = 0; k < 8; k++) rf80(s->phys[k]);
    s->mxcsr = (pct(92) ? 0x1f80 : below(64) << 7) | (pct(60) ? 0 : below(4) << 13) | (pct(10) ? 0x8000 : 0) | (pct(10) ? 0x40 : 0) | (pct(85) ? 0 : below(64));
    for (int k = 0; k < 16; k++) {
      int kind = below(4);
      for (int j = 0; j < 4; j++) { u32 v = kind == 0 ? rf32() : (u32)rint_(); memcpy(s->xmm[k] + 4 * j, &v, 4); }
      if (kind == 1) for (int j = 0; j < 2; j++) { u64 v = rf64(); memcpy(s->xmm[k] + 8 * j, &v, 8); }
      if (kind == 2) for (int j = 0; j < 16; j++) s->xmm[k][j] = (u8)rnd();
    }
  }
}

// ---------------------------------------------------------------- instruction forms
enum { E_N, E_R, E_M, E_G, E_O }; // no modrm / modrm any / memory only / register only / register in opcode
enum { S_B, S_V, S_V64, S_32, S_X }; // 8-bit; 16/32/64; 64 by default in long mode; 32 (64 with REX.W); fixed by the opcode
enum { I_0, I_B, I_W, I_Z, I_V, I_R8, I_RZ, I_MO, I_WB, I_AP };
enum { O_LOCK = 1, O_REP = 2, O_REPC = 4, O_STR = 8, O_IBR = 0x10, O_RET = 0x20, O_APPROX = 0x40, O_ALIGN = 0x80, O_CL = 0x100,
  O_DIV = 0x200, O_BT = 0x400, O_ENV = 0x800, O_FX = 0x1000, O_RDI = 0x2000, O_FRAME = 0x4000, O_POPF = 0x8000, O_NEAR = 0x10000,
  O_XLAT = 0x20000, O_FARRET = 0x40000, O_IRET = 0x80000, O_UNDOC = 0x100000, O_SMALL = 0x200000, O_FARM = 0x400000, O_SAVE = 0x800000, O_N66 = 0x1000000,
  O_VEX = 0x2000000, O_SEL = 0x4000000, O_POPSEG = 0x8000000, O_FARPTR = 0x10000000, O_XSAVE = 0x20000000,
  O_WHOLE = 0x40000000 }; // O_WHOLE: how much of an invalid instruction is fetched differs from processor to processor
enum { U_0, U_SHIFT, U_ROT, U_SHD, U_BS };
typedef struct { char name[20]; const char *cat; u8 pfx; u32 opc; u8 nop; i8 digit; u8 enc, sz, imm, msz, zone, modes, urule; u16 und, share; u32 opt; } Form;
static Form F[1600]; static int nF;
static const char *cat = "int"; static u8 modes = MALL;
static Form *f_(const char *name, u8 pfx, u32 opc, int enc, int digit, int sz, int imm, u16 und, u32 opt) {
  Form *f = &F[nF++]; memset(f, 0, sizeof *f);
  snprintf(f->name, sizeof f->name, "%s", name); f->cat = cat; f->pfx = pfx; f->opc = opc;
  f->nop = opc > 0xffff ? 3 : opc > 0xff ? 2 : 1; f->digit = digit; f->enc = enc; f->sz = sz; f->imm = imm; f->und = und; f->opt = opt;
  f->modes = modes; f->zone = Z_INT; f->share = 100;
  return f;
}
static char *nm(const char *fmt, ...) { static char b[64]; va_list a; va_start(a, fmt); vsnprintf(b, sizeof b, fmt, a); va_end(a); return b; }

// What the first list left out: VEX-coded integers, segment loads, XSAVE, cache control, and the holes of the x87 map.
static void more(void) {
  cat = "bmi"; modes = MALL;
  static const struct { const char *n; u8 pp; u32 op; i8 d; u16 und; u8 imm; } vx[] = {
    {"andn", 0, 0x0f38f2, -1, AF | PF, 0}, {"blsr", 0, 0x0f38f3, 1, AF | PF, 0}, {"blsmsk", 0, 0x0f38f3, 2, AF | PF, 0}, {"blsi", 0, 0x0f38f3, 3, AF | PF, 0},
    {"bzhi", 0, 0x0f38f5, -1, AF | PF, 0}, {"pext", 0xf3, 0x0f38f5, -1, 0, 0}, {"pdep", 0xf2, 0x0f38f5, -1, 0, 0}, {"mulx", 0xf2, 0x0f38f6, -1, 0, 0},
    {"bextr", 0, 0x0f38f7, -1, AF | SF | PF, 0}, {"shlx", 0x66, 0x0f38f7, -1, 0, 0}, {"sarx", 0xf3, 0x0f38f7, -1, 0, 0}, {"shrx", 0xf2, 0x0f38f7, -1, 0, 0}, {"rorx", 0xf2, 0x0f3af0, -1, 0, I_B}};
  for (u32 i = 0; i < sizeof vx / sizeof *vx; i++) f_(vx[i].n, vx[i].pp, vx[i].op, E_R, vx[i].d, S_32, vx[i].imm, vx[i].und, O_VEX | O_WHOLE);
  f_("blsr /0 #UD", 0, 0x0f38f3, E_R, 0, S_32, 0, 0, O_VEX | O_WHOLE)->share = 20; f_("bextr L1 #UD", 0, 0x0f38f7, E_R, -1, S_32, 0, 0, O_VEX | O_UNDOC | O_WHOLE)->share = 20;
  cat = "seg";
  f_("verr", 0, 0x0f00, E_R, 4, S_X, 0, 0, O_SEL)->msz = 2; f_("verw", 0, 0x0f00, E_R, 5, S_X, 0, 0, O_SEL)->msz = 2;
  f_("lar", 0, 0x0f02, E_R, -1, S_V, 0, 0, O_SEL)->msz = 2; f_("lsl", 0, 0x0f03, E_R, -1, S_V, 0, 0, O_SEL)->msz = 2;
  static const char *sn[] = {"es", "cs", "ss", "ds", "fs", "gs", "6", "7"};
  for (int i = 0; i < 8; i++) { Form *f = f_(nm("mov %s,Ew", sn[i]), 0, 0x8e, E_R, i, S_X, 0, 0, O_SEL); f->msz = 2; f->share = i == 1 || i > 5 ? 10 : 60; }
  for (int i = 4; i < 6; i++) { f_(nm("mov Ev,%s", sn[i]), 0, 0x8c, E_R, i, S_V, 0, 0, 0)->msz = 2; f_(nm("push %s", sn[i]), 0, i == 4 ? 0x0fa0 : 0x0fa8, E_N, -1, S_V64, 0, 0, 0); f_(nm("pop %s", sn[i]), 0, i == 4 ? 0x0fa1 : 0x0fa9, E_N, -1, S_V64, 0, 0, O_POPSEG); }
  for (int i = 0; i < 3; i++) { Form *f = f_(nm("l%s", i == 0 ? "ss" : sn[3 + i]), 0, i == 0 ? 0x0fb2 : 0x0fb3 + i, E_M, -1, S_V, 0, 0, O_FARPTR); f->msz = 10; }
  modes = M16 | M32; f_("push es", 0, 0x06, E_N, -1, S_V, 0, 0, 0); f_("pop es", 0, 0x07, E_N, -1, S_V, 0, 0, O_POPSEG); f_("pop ss", 0, 0x17, E_N, -1, S_V, 0, 0, O_POPSEG); f_("pop ds", 0, 0x1f, E_N, -1, S_V, 0, 0, O_POPSEG);
  f_("les", 0, 0xc4, E_M, -1, S_V, 0, 0, O_FARPTR)->msz = 6; f_("lds", 0, 0xc5, E_M, -1, S_V, 0, 0, O_FARPTR)->msz = 6;
  f_("call far Ap", 0, 0x9a, E_N, -1, S_V, I_AP, 0, 0); f_("jmp far Ap", 0, 0xea, E_N, -1, S_V, I_AP, 0, 0); modes = MALL;
  cat = "ext";
  f_("pause", 0xf3, 0x90, E_N, -1, S_X, 0, 0, 0)->share = 60;
  f_("clflush", 0, 0x0fae, E_M, 7, S_X, 0, 0, 0)->msz = 1; f_("clflushopt", 0x66, 0x0fae, E_M, 7, S_X, 0, 0, 0)->msz = 1; f_("clwb", 0x66, 0x0fae, E_M, 6, S_X, 0, 0, 0)->msz = 1;
  f_("prefetchw", 0, 0x0f0d, E_M, 1, S_V, 0, 0, 0)->share = 60; for (int i = 0; i < 8; i++) if (i != 1) f_(nm("prefetch /%d", i), 0, 0x0f0d, E_M, i, S_V, 0, 0, 0)->share = 10;
  for (int i = 0x18; i < 0x20; i++) f_(nm("hint %02x", i), 0, 0x0f00 | i, E_R, -1, S_V, 0, 0, 0)->share = 40;
  f_("ud0", 0, 0x0fff, E_R, -1, S_V, 0, 0, O_WHOLE)->share = 70; f_("ud1 v", 0, 0x0fb9, E_R, -1, S_V, 0, 0, O_WHOLE)->share = 70;
  f_("bsf F2", 0xf2, 0x0fbc, E_R, -1, S_V, 0, CF | OF | SF | AF | PF, 0)->urule = U_BS; f_("bsr F2", 0xf2, 0x0fbd, E_R, -1, S_V, 0, CF | OF | SF | AF | PF, 0)->urule = U_BS;
  { Form *f = f_("xsave", 0, 0x0fae, E_M, 4, S_32, 0, 0, O_ALIGN | O_FX | O_XSAVE); f->msz = 254; f->zone = Z_RAND; f->share = 70; f = f_("xrstor", 0, 0x0fae, E_M, 5, S_32, 0, 0, O_ALIGN | O_XSAVE); f->msz = 254; f->zone = Z_RAND; f->share = 70;
    f = f_("xsaveopt", 0, 0x0fae, E_M, 6, S_32, 0, 0, O_ALIGN | O_FX | O_XSAVE); f->msz = 254; f->zone = Z_RAND; f->share = 70; }
  cat = "sse4"; { Form *f = f_("movntdqa", 0x66, 0x0f382a, E_M, -1, S_X, 0, 0, O_ALIGN); f->msz = 16; f->share = 80; }
  cat = "x87"; // one-byte register forms without a name of their own
  for (int op = 0xd8; op < 0xe0; op++) for (int m = 0xc0; m < 0x100; m++) {
    int g = m >> 3 & 7, hole = (op == 0xd9 && ((m > 0xd0 && m < 0xd8) || m == 0xe2 || m == 0xe3 || m == 0xe6 || m == 0xe7 || m == 0xef)) || (op == 0xda && ((g == 5 && m != 0xe9))) || (op == 0xdb && m > 0xe4 && m < 0xe8) ||
      (op == 0xde && g == 3 && m != 0xd9) || (op == 0xdf && g == 4 && m != 0xe0);
    if (hole) f_(nm("esc %02x %02x", op, m), 0, op << 8 | m, E_N, -1, S_X, 0, 0, 0)->share = 90;
    if ((m & 7) == 0 && ((op == 0xda && (g == 4 || g > 5)) || (op == 0xdb && g == 7) || (op == 0xdd && g > 5) || (op == 0xdf && g == 7))) f_(nm("esc %02x/%d", op, g), 0, op, E_G, g, S_X, 0, 0, 0)->share = 90;
  }
  { Form *f = f_("esc d9/1 m", 0, 0xd9, E_M, 1, S_X, 0, 0, 0); f->msz = 4; f->share = 90; f = f_("esc db/4 m", 0, 0xdb, E_M, 4, S_X, 0, 0, 0); f->msz = 4; f->share = 90; f = f_("esc db/6 m", 0, 0xdb, E_M, 6, S_X, 0, 0, 0); f->msz = 4; f->share = 90; f = f_("esc dd/5 m", 0, 0xdd, E_M, 5, S_X, 0, 0, 0); f->msz = 4; f->share = 90; }
}

static void forms(void) {
  static const char *alu[] = {"add", "or", "adc", "sbb", "and", "sub", "xor", "cmp"};
  static const char *cc[] = {"o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g"};
  for (int i = 0; i < 8; i++) {
    u16 u = i == 1 || i == 4 || i == 6 ? AF : 0; u32 L = i == 7 ? 0 : O_LOCK; int b = i * 8;
    f_(nm("%s Eb,Gb", alu[i]), 0, b, E_R, -1, S_B, 0, u, L); f_(nm("%s Ev,Gv", alu[i]), 0, b + 1, E_R, -1, S_V, 0, u, L);
    f_(nm("%s Gb,Eb", alu[i]), 0, b + 2, E_R, -1, S_B, 0, u, 0); f_(nm("%s Gv,Ev", alu[i]), 0, b + 3, E_R, -1, S_V, 0, u, 0);
    f_(nm("%s AL,Ib", alu[i]), 0, b + 4, E_N, -1, S_B, I_B, u, 0); f_(nm("%s eAX,Iz", alu[i]), 0, b + 5, E_N, -1, S_V, I_Z, u, 0);
    f_(nm("%s Eb,Ib", alu[i]), 0, 0x80, E_R, i, S_B, I_B, u, L); f_(nm("%s Ev,Iz", alu[i]), 0, 0x81, E_R, i, S_V, I_Z, u, L);
    f_(nm("%s Ev,Ib", alu[i]), 0, 0x83, E_R, i, S_V, I_B, u, L);
    modes = M16 | M32; f_(nm("%s Eb,Ib #82", alu[i]), 0, 0x82, E_R, i, S_B, I_B, u, L)->share = 25; modes = MALL;
  }
  static const char *sh[] = {"rol", "ror", "rcl", "rcr", "shl", "shr", "sal", "sar"};
  for (int i = 0; i < 8; i++) for (int v = 0; v < 2; v++) {
    int ur = i < 4 ? U_ROT : U_SHIFT; const char *o = v ? "Ev" : "Eb"; int s = v ? S_V : S_B; u32 x = i == 6 ? O_UNDOC : 0;
    f_(nm("%s %s,Ib", sh[i], o), 0, 0xc0 + v, E_R, i, s, I_B, 0, x)->urule = ur;
    f_(nm("%s %s,1", sh[i], o), 0, 0xd0 + v, E_R, i, s, 0, 0, x)->urule = ur;
    f_(nm("%s %s,CL", sh[i], o), 0, 0xd2 + v, E_R, i, s, 0, 0, x | O_CL)->urule = ur;
  }
  f_("shld Ev,Gv,Ib", 0, 0x0fa4, E_R, -1, S_V, I_B, 0, 0)->urule = U_SHD; f_("shld Ev,Gv,CL", 0, 0x0fa5, E_R, -1, S_V, 0, 0, O_CL)->urule = U_SHD;
  f_("shrd Ev,Gv,Ib", 0, 0x0fac, E_R, -1, S_V, I_B, 0, 0)->urule = U_SHD; f_("shrd Ev,Gv,CL", 0, 0x0fad, E_R, -1, S_V, 0, 0, O_CL)->urule = U_SHD;
  for (int v = 0; v < 2; v++) {
    const char *o = v ? "Ev" : "Eb"; int s = v ? S_V : S_B;
    f_(nm("test %s,I", o), 0, 0xf6 + v, E_R, 0, s, v ? I_Z : I_B, AF, 0); f_(nm("test %s,I /1", o), 0, 0xf6 + v, E_R, 1, s, v ? I_Z : I_B, AF, O_UNDOC)->share = 25;
    f_(nm("not %s", o), 0, 0xf6 + v, E_R, 2, s, 0, 0, O_LOCK); f_(nm("neg %s", o), 0, 0xf6 + v, E_R, 3, s, 0, 0, O_LOCK);
    f_(nm("mul %s", o), 0, 0xf6 + v, E_R, 4, s, 0, SF | ZF | AF | PF, 0)->share = 150; f_(nm("imul %s", o), 0, 0xf6 + v, E_R, 5, s, 0, SF | ZF | AF | PF, 0)->share = 150;
    f_(nm("div %s", o), 0, 0xf6 + v, E_R, 6, s, 0, CF | PF | AF | ZF | SF | OF, O_DIV)->share = 200; f_(nm("idiv %s", o), 0, 0xf6 + v, E_R, 7, s, 0, CF | PF | AF | ZF | SF | OF, O_DIV)->share = 200;
    f_(nm("inc %s", o), 0, 0xfe + v, E_R, 0, s, 0, 0, O_LOCK); f_(nm("dec %s", o), 0, 0xfe + v, E_R, 1, s, 0, 0, O_LOCK);
    f_(nm("test %s,G", o), 0, 0x84 + v, E_R, -1, s, 0, AF, 0); f_(nm("xchg %s,G", o), 0, 0x86 + v, E_R, -1, s, 0, 0, O_LOCK);
    f_(nm("mov %s,G", o), 0, 0x88 + v, E_R, -1, s, 0, 0, 0); f_(nm("mov G,%s", o), 0, 0x8a + v, E_R, -1, s, 0, 0, 0);
    f_(nm("mov %s,I", o), 0, 0xc6 + v, E_R, 0, s, v ? I_Z : I_B, 0, 0); f_(nm("test eAX,I%d", v), 0, 0xa8 + v, E_N, -1, s, v ? I_Z : I_B, AF, 0);
    f_(nm("xadd %s,G", o), 0, 0x0fc0 + v, E_R, -1, s, 0, 0, O_LOCK); f_(nm("cmpxchg %s,G", o), 0, 0x0fb0 + v, E_R, -1, s, 0, 0, O_LOCK);
    f_(nm("mov eAX,moffs%d", v), 0, 0xa0 + v, E_N, -1, s, I_MO, 0, 0); f_(nm("mov moffs%d,eAX", v), 0, 0xa2 + v, E_N, -1, s, I_MO, 0, 0);
    f_(nm("movs%d", v), 0, 0xa4 + v, E_N, -1, s, 0, 0, O_STR | O_REP)->share = 200; f_(nm("cmps%d", v), 0, 0xa6 + v, E_N, -1, s, 0, 0, O_STR | O_REPC)->share = 200;
    f_(nm("stos%d", v), 0, 0xaa + v, E_N, -1, s, 0, 0, O_STR | O_REP)->share = 150; f_(nm("lods%d", v), 0, 0xac + v, E_N, -1, s, 0, 0, O_STR | O_REP);
    f_(nm("scas%d", v), 0, 0xae + v, E_N, -1, s, 0, 0, O_STR | O_REPC)->share = 200;
    f_(nm("movzx Gv,E%c", "bw"[v]), 0, 0x0fb6 + v, E_R, -1, S_V, 0, 0, 0)->msz = 1 + v; f_(nm("movsx Gv,E%c", "bw"[v]), 0, 0x0fbe + v, E_R, -1, S_V, 0, 0, 0)->msz = 1 + v;
  }
  f_("mov r8,Ib", 0, 0xb0, E_O, -1, S_B, I_B, 0, 0); f_("mov r,Iv", 0, 0xb8, E_O, -1, S_V, I_V, 0, 0);
  f_("xchg eAX,r", 0, 0x90, E_O, -1, S_V, 0, 0, 0); f_("bswap r", 0, 0x0fc8, E_O, -1, S_V, 0, 0, O_N66);
  modes = M16 | M32; f_("inc r", 0, 0x40, E_O, -1, S_V, 0, 0, 0); f_("dec r", 0, 0x48, E_O, -1, S_V, 0, 0, 0); modes = MALL;
  f_("lea", 0, 0x8d, E_M, -1, S_V, 0, 0, 0)->share = 200; f_("imul Gv,Ev", 0, 0x0faf, E_R, -1, S_V, 0, SF | ZF | AF | PF, 0)->share = 150;
  f_("imul Gv,Ev,Iz", 0, 0x69, E_R, -1, S_V, I_Z, SF | ZF | AF | PF, 0); f_("imul Gv,Ev,Ib", 0, 0x6b, E_R, -1, S_V, I_B, SF | ZF | AF | PF, 0);
  modes = M64; f_("movsxd", 0, 0x63, E_R, -1, S_V, 0, 0, 0)->msz = 4; modes = M16 | M32; f_("arpl", 0, 0x63, E_R, -1, S_X, 0, 0, 0)->msz = 2; modes = MALL;
  static const char *bt[] = {"bt", "bts", "btr", "btc"};
  for (int i = 0; i < 4; i++) {
    f_(nm("%s Ev,Gv", bt[i]), 0, 0x0fa3 + 8 * i, E_R, -1, S_V, 0, OF | SF | AF | PF, O_BT | (i ? O_LOCK : 0))->share = 150;
    f_(nm("%s Ev,Ib", bt[i]), 0, 0x0fba, E_R, 4 + i, S_V, I_B, OF | SF | AF | PF, i ? O_LOCK : 0);
  }
  f_("bsf", 0, 0x0fbc, E_R, -1, S_V, 0, CF | OF | SF | AF | PF, 0)->urule = U_BS; f_("bsr", 0, 0x0fbd, E_R, -1, S_V, 0, CF | OF | SF | AF | PF, 0)->urule = U_BS;
  for (int i = 0; i < 16; i++) {
    f_(nm("set%s", cc[i]), 0, 0x0f90 + i, E_R, -1, S_B, 0, 0, 0)->share = 40; f_(nm("cmov%s", cc[i]), 0, 0x0f40 + i, E_R, -1, S_V, 0, 0, 0)->share = 50;
    f_(nm("j%s Jb", cc[i]), 0, 0x70 + i, E_N, -1, S_X, I_R8, 0, O_NEAR)->share = 30; f_(nm("j%s Jz", cc[i]), 0, 0x0f80 + i, E_N, -1, S_V, I_RZ, 0, O_NEAR)->share = 30;
  }
  f_("loopne", 0, 0xe0, E_N, -1, S_X, I_R8, 0, O_NEAR | O_SMALL); f_("loope", 0, 0xe1, E_N, -1, S_X, I_R8, 0, O_NEAR | O_SMALL); f_("loop", 0, 0xe2, E_N, -1, S_X, I_R8, 0, O_NEAR | O_SMALL);
  f_("jcxz", 0, 0xe3, E_N, -1, S_X, I_R8, 0, O_NEAR | O_SMALL); f_("jmp Jb", 0, 0xeb, E_N, -1, S_X, I_R8, 0, O_NEAR); f_("jmp Jz", 0, 0xe9, E_N, -1, S_V, I_RZ, 0, O_NEAR);
  f_("call Jz", 0, 0xe8, E_N, -1, S_V, I_RZ, 0, O_NEAR); f_("jmp Ev", 0, 0xff, E_R, 4, S_V64, 0, 0, O_IBR | O_NEAR); f_("call Ev", 0, 0xff, E_R, 2, S_V64, 0, 0, O_IBR | O_NEAR);
  f_("ret", 0, 0xc3, E_N, -1, S_V64, 0, 0, O_RET | O_NEAR); f_("ret Iw", 0, 0xc2, E_N, -1, S_V64, I_W, 0, O_RET | O_NEAR);
  f_("push r", 0, 0x50, E_O, -1, S_V64, 0, 0, 0); f_("pop r", 0, 0x58, E_O, -1, S_V64, 0, 0, 0); f_("push Iz", 0, 0x68, E_N, -1, S_V64, I_Z, 0, 0); f_("push Ib", 0, 0x6a, E_N, -1, S_V64, I_B, 0, 0);
  f_("push Ev", 0, 0xff, E_R, 6, S_V64, 0, 0, 0); f_("pop Ev", 0, 0x8f, E_R, 0, S_V64, 0, 0, 0); f_("pushf", 0, 0x9c, E_N, -1, S_V64, 0, 0, 0); f_("popf", 0, 0x9d, E_N, -1, S_V64, 0, 0, O_POPF);
  f_("enter", 0, 0xc8, E_N, -1, S_V64, I_WB, 0, O_FRAME); f_("leave", 0, 0xc9, E_N, -1, S_V64, 0, 0, O_FRAME);
  f_("cbw", 0, 0x98, E_N, -1, S_V, 0, 0, 0); f_("cwd", 0, 0x99, E_N, -1, S_V, 0, 0, 0); f_("xlat", 0, 0xd7, E_N, -1, S_X, 0, 0, O_XLAT); f_("sahf", 0, 0x9e, E_N, -1, S_X, 0, 0, 0); f_("lahf", 0, 0x9f, E_N, -1, S_X, 0, 0, 0);
  f_("cmc", 0, 0xf5, E_N, -1, S_X, 0, 0, 0)->share = 25; f_("clc", 0, 0xf8, E_N, -1, S_X, 0, 0, 0)->share = 25; f_("stc", 0, 0xf9, E_N, -1, S_X, 0, 0, 0)->share = 25; f_("cld", 0, 0xfc, E_N, -1, S_X, 0, 0, 0)->share = 25; f_("std", 0, 0xfd, E_N, -1, S_X, 0, 0, 0)->share = 25;
  f_("nop Ev", 0, 0x0f1f, E_R, -1, S_V, 0, 0, 0)->share = 30; f_("cmpxchg8b", 0, 0x0fc7, E_M, 1, S_X, 0, 0, O_LOCK)->msz = 8; modes = M64; { Form *f = f_("cmpxchg16b", 0, 0x0fc7, E_M, 1, S_32, 0, 0, O_LOCK | O_ALIGN); f->msz = 16; } modes = MALL;
  modes = M16 | M32;
  f_("daa", 0, 0x27, E_N, -1, S_X, 0, OF, 0); f_("das", 0, 0x2f, E_N, -1, S_X, 0, OF, 0); f_("aaa", 0, 0x37, E_N, -1, S_X, 0, OF | SF | ZF | PF, 0); f_("aas", 0, 0x3f, E_N, -1, S_X, 0, OF | SF | ZF | PF, 0);
  f_("aam", 0, 0xd4, E_N, -1, S_X, I_B, OF | AF | CF, 0); f_("aad", 0, 0xd5, E_N, -1, S_X, I_B, OF | AF | CF, 0); f_("salc", 0, 0xd6, E_N, -1, S_X, 0, 0, O_UNDOC)->share = 25;
  f_("pusha", 0, 0x60, E_N, -1, S_V, 0, 0, 0); f_("popa", 0, 0x61, E_N, -1, S_V, 0, 0, 0); f_("bound", 0, 0x62, E_M, -1, S_V, 0, 0, 0)->msz = 8; f_("into", 0, 0xce, E_N, -1, S_X, 0, 0, 0)->share = 25;
  modes = MALL;
  f_("int3", 0, 0xcc, E_N, -1, S_X, 0, 0, 0)->share = 30; f_("int Ib", 0, 0xcd, E_N, -1, S_X, I_B, 0, 0)->share = 30; f_("ud2", 0, 0x0f0b, E_N, -1, S_X, 0, 0, 0)->share = 30;

  cat = "seg"; // needs the descriptors of README.md
  f_("mov Ev,Sw", 0, 0x8c, E_R, -1, S_V, 0, 0, 0)->msz = 2; modes = M16 | M32; f_("push CS", 0, 0x0e, E_N, -1, S_V, 0, 0, 0); f_("push SS", 0, 0x16, E_N, -1, S_V, 0, 0, 0); f_("push DS", 0, 0x1e, E_N, -1, S_V, 0, 0, 0); modes = MALL;
  f_("retf", 0, 0xcb, E_N, -1, S_V, 0, 0, O_FARRET); f_("retf Iw", 0, 0xca, E_N, -1, S_V, I_W, 0, O_FARRET); f_("iret", 0, 0xcf, E_N, -1, S_V, 0, 0, O_IRET);
  f_("jmp far M", 0, 0xff, E_M, 5, S_V, 0, 0, O_FARM)->msz = 10; f_("call far M", 0, 0xff, E_M, 3, S_V, 0, 0, O_FARM)->msz = 10;

  cat = "priv"; // all of these fault at CPL 3
  static const u8 pv[] = {0xfa, 0xfb, 0xf4, 0xec, 0xed, 0xee, 0xef, 0x6c, 0x6d, 0x6e, 0x6f};
  for (u32 i = 0; i < sizeof pv; i++) f_(nm("cpl3 %02x", pv[i]), 0, pv[i], E_N, -1, S_X, 0, 0, 0)->share = 8;
  for (int i = 0xe4; i < 0xe8; i++) f_(nm("cpl3 %02x", i), 0, i, E_N, -1, S_X, I_B, 0, 0)->share = 8;
  static const u16 pv2[] = {0x0f06, 0x0f08, 0x0f09, 0x0f30, 0x0f32};
  for (u32 i = 0; i < 5; i++) f_(nm("cpl3 %04x", pv2[i]), 0, pv2[i], E_N, -1, S_X, 0, 0, 0)->share = 8;
  f_("lgdt", 0, 0x0f01, E_M, 2, S_X, 0, 0, 0)->share = 8; f_("lidt", 0, 0x0f01, E_M, 3, S_X, 0, 0, 0)->share = 8; f_("lmsw", 0, 0x0f01, E_R, 6, S_X, 0, 0, 0)->share = 8; f_("invlpg", 0, 0x0f01, E_M, 7, S_X, 0, 0, 0)->share = 8;
  f_("lldt", 0, 0x0f00, E_R, 2, S_X, 0, 0, 0)->share = 8; f_("ltr", 0, 0x0f00, E_R, 3, S_X, 0, 0, 0)->share = 8; f_("mov r,CRn", 0, 0x0f20, E_G, 0, S_X, 0, 0, 0)->share = 8; f_("mov CRn,r", 0, 0x0f22, E_G, 0, S_X, 0, 0, 0)->share = 8;
  f_("mov r,DRn", 0, 0x0f21, E_G, 0, S_X, 0, 0, 0)->share = 8; f_("mov DRn,r", 0, 0x0f23, E_G, 0, S_X, 0, 0, 0)->share = 8;
  f_("ud1", 0, 0x0fb9, E_R, -1, S_X, 0, 0, O_WHOLE)->share = 8; f_("lock #UD", 0xf0, 0x89, E_R, -1, S_X, 0, 0, 0)->share = 20; f_("lock nop #UD", 0xf0, 0x90, E_N, -1, S_X, 0, 0, 0)->share = 5; f_("fe /2 #UD", 0, 0xfe, E_R, 2, S_X, 0, 0, 0)->share = 8; f_("lea reg #UD", 0, 0x8d, E_G, -1, S_V, 0, 0, 0)->share = 8;
  f_("ff /7 #UD", 0, 0xff, E_R, 7, S_X, 0, 0, 0)->share = 8; f_("mov seg6 #UD", 0, 0x8c, E_R, 6, S_X, 0, 0, 0)->share = 8;
  modes = M64; static const u8 bad[] = {0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f, 0x27, 0x2f, 0x37, 0x3f, 0x60, 0x61, 0x82, 0x9a, 0xce, 0xd4, 0xd5, 0xd6, 0xea};
  for (u32 i = 0; i < sizeof bad; i++) f_(nm("#UD %02x", bad[i]), 0, bad[i], E_N, -1, S_X, 0, 0, 0)->share = 5;
  modes = MALL;

  cat = "x87";
  static const struct { u8 op, d, msz, z; const char *n; u32 o; } fm[] = {
    {0xd9, 0, 4, Z_F32, "fld m32", 0}, {0xd9, 2, 4, Z_F32, "fst m32", 0}, {0xd9, 3, 4, Z_F32, "fstp m32", 0}, {0xd9, 5, 2, Z_INT, "fldcw", 0}, {0xd9, 7, 2, Z_INT, "fnstcw", 0}, {0xd9, 6, 28, Z_RAND, "fnstenv", O_ENV}, {0xd9, 4, 28, Z_RAND, "fldenv", 0},
    {0xdb, 0, 4, Z_INT, "fild m32", 0}, {0xdb, 1, 4, Z_INT, "fisttp m32", 0}, {0xdb, 2, 4, Z_INT, "fist m32", 0}, {0xdb, 3, 4, Z_INT, "fistp m32", 0}, {0xdb, 5, 10, Z_F80, "fld m80", 0}, {0xdb, 7, 10, Z_F80, "fstp m80", 0},
    {0xdd, 0, 8, Z_F64, "fld m64", 0}, {0xdd, 1, 8, Z_INT, "fisttp m64", 0}, {0xdd, 2, 8, Z_F64, "fst m64", 0}, {0xdd, 3, 8, Z_F64, "fstp m64", 0}, {0xdd, 4, 108, Z_RAND, "frstor", 0}, {0xdd, 6, 108, Z_RAND, "fnsave", O_ENV | O_SAVE}, {0xdd, 7, 2, Z_INT, "fnstsw m16", 0},
    {0xdf, 0, 2, Z_INT, "fild m16", 0}, {0xdf, 1, 2, Z_INT, "fisttp m16", 0}, {0xdf, 2, 2, Z_INT, "fist m16", 0}, {0xdf, 3, 2, Z_INT, "fistp m16", 0}, {0xdf, 4, 10, Z_BCD, "fbld", 0}, {0xdf, 5, 8, Z_INT, "fild m64", 0}, {0xdf, 6, 10, Z_BCD, "fbstp", 0}, {0xdf, 7, 8, Z_INT, "fistp m64", 0}};
  for (u32 i = 0; i < sizeof fm / sizeof *fm; i++) { Form *f = f_(fm[i].n, 0, fm[i].op, E_M, fm[i].d, S_X, 0, 0, fm[i].o); f->msz = fm[i].msz; f->zone = fm[i].z; if (fm[i].msz > 20) f->share = 30; else f->share = 150; }
  static const char *fa[] = {"fadd", "fmul", "fcom", "fcomp", "fsub", "fsubr", "fdiv", "fdivr"};
  for (int i = 0; i < 8; i++) {
    Form *f = f_(nm("%s m32", fa[i]), 0, 0xd8, E_M, i, S_X, 0, 0, 0); f->msz = 4; f->zone = Z_F32; f = f_(nm("%s m64", fa[i]), 0, 0xdc, E_M, i, S_X, 0, 0, 0); f->msz = 8; f->zone = Z_F64;
    f = f_(nm("%s m32i", fa[i]), 0, 0xda, E_M, i, S_X, 0, 0, 0); f->msz = 4; f = f_(nm("%s m16i", fa[i]), 0, 0xde, E_M, i, S_X, 0, 0, 0); f->msz = 2;
    f_(nm("%s ST,STi", fa[i]), 0, 0xd8, E_G, i, S_X, 0, 0, 0)->share = 200; if (i != 2 && i != 3) { f_(nm("%s STi,ST", fa[i]), 0, 0xdc, E_G, i, S_X, 0, 0, 0)->share = 150; f_(nm("%sp STi,ST", fa[i]), 0, 0xde, E_G, i, S_X, 0, 0, 0)->share = 150; }
  }
  static const struct { u16 b; const char *n; u32 o; } fr[] = {{0xd9e0, "fchs", 0}, {0xd9e1, "fabs", 0}, {0xd9e4, "ftst", 0}, {0xd9e5, "fxam", 0}, {0xd9e8, "fld1", 0}, {0xd9e9, "fldl2t", 0}, {0xd9ea, "fldl2e", 0}, {0xd9eb, "fldpi", 0},
    {0xd9ec, "fldlg2", 0}, {0xd9ed, "fldln2", 0}, {0xd9ee, "fldz", 0}, {0xd9f0, "f2xm1", O_APPROX}, {0xd9f1, "fyl2x", O_APPROX}, {0xd9f2, "fptan", O_APPROX}, {0xd9f3, "fpatan", O_APPROX}, {0xd9f4, "fxtract", 0}, {0xd9f5, "fprem1", 0}, {0xd9f6, "fdecstp", 0},
    {0xd9f7, "fincstp", 0}, {0xd9f8, "fprem", 0}, {0xd9f9, "fyl2xp1", O_APPROX}, {0xd9fa, "fsqrt", 0}, {0xd9fb, "fsincos", O_APPROX}, {0xd9fc, "frndint", 0}, {0xd9fd, "fscale", 0}, {0xd9fe, "fsin", O_APPROX}, {0xd9ff, "fcos", O_APPROX}, {0xd9d0, "fnop", 0},
    {0xdae9, "fucompp", 0}, {0xded9, "fcompp", 0}, {0xdbe2, "fnclex", 0}, {0xdbe3, "fninit", 0}, {0xdfe0, "fnstsw ax", 0}, {0xdbe0, "fneni", O_UNDOC}, {0xdbe1, "fndisi", O_UNDOC}, {0xdbe4, "fnsetpm", O_UNDOC}};
  for (u32 i = 0; i < sizeof fr / sizeof *fr; i++) f_(fr[i].n, 0, fr[i].b, E_N, -1, S_X, 0, 0, fr[i].o)->share = fr[i].o & O_APPROX || strstr("fprem1fsqrtfscalefrndintfxtract", fr[i].n) ? 150 : 60;
  static const struct { u8 op, d; const char *n; u32 o; } fs[] = {{0xd9, 0, "fld STi", 0}, {0xd9, 1, "fxch", 0}, {0xdd, 0, "ffree", 0}, {0xdd, 2, "fst STi", 0}, {0xdd, 3, "fstp STi", 0}, {0xdd, 4, "fucom", 0}, {0xdd, 5, "fucomp", 0}, {0xda, 0, "fcmovb", 0}, {0xda, 1, "fcmove", 0}, {0xda, 2, "fcmovbe", 0}, {0xda, 3, "fcmovu", 0},
    {0xdb, 0, "fcmovnb", 0}, {0xdb, 1, "fcmovne", 0}, {0xdb, 2, "fcmovnbe", 0}, {0xdb, 3, "fcmovnu", 0}, {0xdb, 5, "fucomi", 0}, {0xdb, 6, "fcomi", 0}, {0xdf, 5, "fucomip", 0}, {0xdf, 6, "fcomip", 0}, {0xdf, 0, "ffreep", O_UNDOC}, {0xd9, 3, "fstp1", O_UNDOC}, {0xdc, 2, "fcom2", O_UNDOC}, {0xdc, 3, "fcomp3", O_UNDOC}, {0xdd, 1, "fxch4", O_UNDOC}, {0xde, 2, "fcomp5", O_UNDOC}, {0xdf, 1, "fxch7", O_UNDOC}, {0xdf, 2, "fstp8", O_UNDOC}, {0xdf, 3, "fstp9", O_UNDOC}};
  for (u32 i = 0; i < sizeof fs / sizeof *fs; i++) f_(fs[i].n, 0, fs[i].op, E_G, fs[i].d, S_X, 0, 0, fs[i].o)->share = fs[i].o ? 25 : 100;
  f_("fwait", 0, 0x9b, E_N, -1, S_X, 0, 0, 0)->share = 40;

  // ---- MMX and SSE: (opcode, prefixes it exists under, which operand shape)
#define P_NP 1
#define P_66 2
#define P_F3 4
#define P_F2 8
  static const struct { u16 op; u8 p; u8 enc; i8 d; u8 imm; const char *n; u32 o; u8 m[4]; } ss[] = {
    {0x0f10, 15, E_R, -1, 0, "movu", 0, {16, 16, 4, 8}}, {0x0f11, 15, E_R, -1, 0, "movu st", 0, {16, 16, 4, 8}}, {0x0f12, 1, E_R, -1, 0, "movlps", 0, {8}}, {0x0f12, 2, E_M, -1, 0, "movlpd", 0, {8, 8}}, {0x0f13, 3, E_M, -1, 0, "movlp st", 0, {8, 8}},
    {0x0f14, 3, E_R, -1, 0, "unpcklp", O_ALIGN, {16, 16}}, {0x0f15, 3, E_R, -1, 0, "unpckhp", O_ALIGN, {16, 16}}, {0x0f16, 1, E_R, -1, 0, "movhps", 0, {8}}, {0x0f16, 2, E_M, -1, 0, "movhpd", 0, {8, 8}}, {0x0f17, 3, E_M, -1, 0, "movhp st", 0, {8, 8}},
    {0x0f28, 3, E_R, -1, 0, "movap", O_ALIGN, {16, 16}}, {0x0f29, 3, E_R, -1, 0, "movap st", O_ALIGN, {16, 16}}, {0x0f2a, 1, E_R, -1, 0, "cvtpi2ps", 0, {8}}, {0x0f2a, 2, E_R, -1, 0, "cvtpi2pd", 0, {8, 8}}, {0x0f2b, 3, E_M, -1, 0, "movntp", O_ALIGN, {16, 16}},
    {0x0f2c, 3, E_R, -1, 0, "cvttp2pi", 0, {8, 16}}, {0x0f2d, 3, E_R, -1, 0, "cvtp2pi", 0, {8, 16}}, {0x0f2e, 3, E_R, -1, 0, "ucomis", 0, {4, 8}}, {0x0f2f, 3, E_R, -1, 0, "comis", 0, {4, 8}}, {0x0f50, 3, E_G, -1, 0, "movmskp", 0, {0}},
    {0x0f51, 15, E_R, -1, 0, "sqrt", O_ALIGN, {16, 16, 4, 8}}, {0x0f52, 5, E_R, -1, 0, "rsqrt", O_ALIGN | O_APPROX, {16, 16, 4, 8}}, {0x0f53, 5, E_R, -1, 0, "rcp", O_ALIGN | O_APPROX, {16, 16, 4, 8}}, {0x0f54, 3, E_R, -1, 0, "andp", O_ALIGN, {16, 16}}, {0x0f55, 3, E_R, -1, 0, "andnp", O_ALIGN, {16, 16}}, {0x0f56, 3, E_R, -1, 0, "orp", O_ALIGN, {16, 16}}, {0x0f57, 3, E_R, -1, 0, "xorp", O_ALIGN, {16, 16}},
    {0x0f58, 15, E_R, -1, 0, "add", O_ALIGN, {16, 16, 4, 8}}, {0x0f59, 15, E_R, -1, 0, "mul", O_ALIGN, {16, 16, 4, 8}}, {0x0f5a, 15, E_R, -1, 0, "cvt5a", O_ALIGN, {8, 16, 4, 8}}, {0x0f5b, 7, E_R, -1, 0, "cvt5b", O_ALIGN, {16, 16, 16}}, {0x0f5c, 15, E_R, -1, 0, "sub", O_ALIGN, {16, 16, 4, 8}}, {0x0f5d, 15, E_R, -1, 0, "min", O_ALIGN, {16, 16, 4, 8}}, {0x0f5e, 15, E_R, -1, 0, "div", O_ALIGN, {16, 16, 4, 8}}, {0x0f5f, 15, E_R, -1, 0, "max", O_ALIGN, {16, 16, 4, 8}},
    {0x0f6c, 2, E_R, -1, 0, "punpcklqdq", O_ALIGN, {16, 16}}, {0x0f6d, 2, E_R, -1, 0, "punpckhqdq", O_ALIGN, {16, 16}}, {0x0f6f, 7, E_R, -1, 0, "movq/dqa/dqu", O_ALIGN, {8, 16, 16}}, {0x0f7f, 7, E_R, -1, 0, "movq/dqa/dqu st", O_ALIGN, {8, 16, 16}}, {0x0f70, 15, E_R, -1, I_B, "pshuf", O_ALIGN, {8, 16, 16, 16}},
    {0x0f71, 3, E_G, 2, I_B, "psrlw i", 0, {0}}, {0x0f71, 3, E_G, 4, I_B, "psraw i", 0, {0}}, {0x0f71, 3, E_G, 6, I_B, "psllw i", 0, {0}}, {0x0f72, 3, E_G, 2, I_B, "psrld i", 0, {0}}, {0x0f72, 3, E_G, 4, I_B, "psrad i", 0, {0}}, {0x0f72, 3, E_G, 6, I_B, "pslld i", 0, {0}}, {0x0f73, 3, E_G, 2, I_B, "psrlq i", 0, {0}}, {0x0f73, 3, E_G, 6, I_B, "psllq i", 0, {0}}, {0x0f73, 2, E_G, 3, I_B, "psrldq", 0, {0}}, {0x0f73, 2, E_G, 7, I_B, "pslldq", 0, {0}},
    {0x0f77, 1, E_N, -1, 0, "emms", 0, {0}}, {0x0f7e, 4, E_R, -1, 0, "movq ld", 0, {0, 0, 8}}, {0x0fd6, 2, E_R, -1, 0, "movq st", 0, {0, 8}}, {0x0fd6, 4, E_G, -1, 0, "movq2dq", 0, {0}}, {0x0fd6, 8, E_G, -1, 0, "movdq2q", 0, {0}}, {0x0fc2, 15, E_R, -1, I_B, "cmpp", O_ALIGN, {16, 16, 4, 8}}, {0x0fc6, 3, E_R, -1, I_B, "shufp", O_ALIGN, {16, 16}},
    {0x0fc4, 3, E_R, -1, I_B, "pinsrw", 0, {2, 2}}, {0x0fc5, 3, E_G, -1, I_B, "pextrw", 0, {0}}, {0x0fd7, 3, E_G, -1, 0, "pmovmskb", 0, {0}}, {0x0fe6, 14, E_R, -1, 0, "cvte6", O_ALIGN, {0, 16, 8, 16}}, {0x0fe7, 3, E_M, -1, 0, "movnt", O_ALIGN, {8, 16}}, {0x0ff7, 3, E_G, -1, 0, "maskmov", O_RDI, {0}}};
  for (u32 i = 0; i < sizeof ss / sizeof *ss; i++) for (int p = 0; p < 4; p++) if (ss[i].p >> p & 1) {
    static const u8 pf[] = {0, 0x66, 0xf3, 0xf2}; static const char *pn[] = {"", " 66", " F3", " F2"};
    int o = ss[i].op & 0xff, mm = p == 0 && (o == 0x6f || o == 0x7f || o == 0x70 || (o >= 0x71 && o <= 0x77) || o == 0xc4 || o == 0xc5 || o == 0xd7 || o == 0xe7 || o == 0xf7);
    cat = mm ? "mmx" : p == 1 || p == 3 || (o >= 0x5a && o <= 0x5b) || (o == 0x6f || o == 0x7f || o == 0x70 || o == 0x7e || o == 0xd6 || o == 0xe6) ? "sse2" : "sse";
    Form *f = f_(nm("%s%s", ss[i].n, pn[p]), pf[p], ss[i].op, ss[i].enc, ss[i].d, S_X, ss[i].imm, 0, ss[i].o); f->msz = ss[i].m[p]; f->share = 80;
    f->zone = mm || o >= 0x60 ? Z_INT : p == 0 || p == 2 ? Z_F32 : Z_F64; if (o == 0x2a || (o == 0x5b && p == 0) || (o == 0xe6 && p == 2)) f->zone = Z_INT; if (o == 0xe6 && p != 2) f->zone = Z_F64; if (o == 0xc2 || o == 0xc6) f->zone = p & 1 ? Z_F64 : Z_F32;
  }
  static const u8 px[] = {0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x74, 0x75, 0x76, 0xd1, 0xd2, 0xd3, 0xd4, 0xd5, 0xd8, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0xe0, 0xe1, 0xe2, 0xe3, 0xe4, 0xe5, 0xe8, 0xe9, 0xea, 0xeb, 0xec, 0xed, 0xee, 0xef, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe};
  for (u32 i = 0; i < sizeof px; i++) { cat = "mmx"; Form *f = f_(nm("p.%02x mm", px[i]), 0, 0x0f00 | px[i], E_R, -1, S_X, 0, 0, 0); f->msz = 8; f->share = 50; cat = "sse2"; f = f_(nm("p.%02x xmm", px[i]), 0x66, 0x0f00 | px[i], E_R, -1, S_X, 0, 0, O_ALIGN); f->msz = 16; f->share = 50; }
  cat = "mmx"; f_("movd mm,E", 0, 0x0f6e, E_R, -1, S_32, 0, 0, 0); f_("movd E,mm", 0, 0x0f7e, E_R, -1, S_32, 0, 0, 0);
  cat = "sse2"; f_("movd x,E", 0x66, 0x0f6e, E_R, -1, S_32, 0, 0, 0); f_("movd E,x", 0x66, 0x0f7e, E_R, -1, S_32, 0, 0, 0); f_("movnti", 0, 0x0fc3, E_M, -1, S_32, 0, 0, 0);
  cat = "sse"; f_("cvtsi2ss", 0xf3, 0x0f2a, E_R, -1, S_32, 0, 0, 0); cat = "sse2"; f_("cvtsi2sd", 0xf2, 0x0f2a, E_R, -1, S_32, 0, 0, 0);
  cat = "sse"; for (int k = 0x2c; k < 0x2e; k++) { Form *f = f_(nm("cvt%sss2si", k == 0x2c ? "t" : ""), 0xf3, 0x0f00 | k, E_R, -1, S_32, 0, 0, 0); f->msz = 4; f->zone = Z_F32; }
  cat = "sse2"; for (int k = 0x2c; k < 0x2e; k++) { Form *f = f_(nm("cvt%ssd2si", k == 0x2c ? "t" : ""), 0xf2, 0x0f00 | k, E_R, -1, S_32, 0, 0, 0); f->msz = 8; f->zone = Z_F64; }
  cat = "sse"; f_("ldmxcsr", 0, 0x0fae, E_M, 2, S_X, 0, 0, 0)->msz = 4; f_("stmxcsr", 0, 0x0fae, E_M, 3, S_X, 0, 0, 0)->msz = 4; f_("prefetch", 0, 0x0f18, E_M, 1, S_X, 0, 0, 0)->share = 10; f_("sfence", 0, 0x0fae, E_G, 7, S_X, 0, 0, 0)->share = 25; cat = "sse2"; f_("lfence", 0, 0x0fae, E_G, 5, S_X, 0, 0, 0)->share = 25; f_("mfence", 0, 0x0fae, E_G, 6, S_X, 0, 0, 0)->share = 25;
  cat = "sse"; { Form *f = f_("fxsave", 0, 0x0fae, E_M, 0, S_32, 0, 0, O_ALIGN | O_FX); f->msz = 255; f->zone = Z_RAND; f->share = 40; f = f_("fxrstor", 0, 0x0fae, E_M, 1, S_32, 0, 0, O_ALIGN); f->msz = 255; f->zone = Z_RAND; f->share = 40; }

  cat = "sse3"; static const struct { u16 op; u8 p; u8 m; const char *n; u8 z; u32 o; } s3[] = {{0x0f7c, 0x66, 16, "haddpd", Z_F64, O_ALIGN}, {0x0f7c, 0xf2, 16, "haddps", Z_F32, O_ALIGN}, {0x0f7d, 0x66, 16, "hsubpd", Z_F64, O_ALIGN}, {0x0f7d, 0xf2, 16, "hsubps", Z_F32, O_ALIGN}, {0x0fd0, 0x66, 16, "addsubpd", Z_F64, O_ALIGN}, {0x0fd0, 0xf2, 16, "addsubps", Z_F32, O_ALIGN}, {0x0f12, 0xf3, 16, "movsldup", Z_F32, O_ALIGN}, {0x0f16, 0xf3, 16, "movshdup", Z_F32, O_ALIGN}, {0x0f12, 0xf2, 8, "movddup", Z_F64, 0}};
  for (u32 i = 0; i < sizeof s3 / sizeof *s3; i++) { Form *f = f_(s3[i].n, s3[i].p, s3[i].op, E_R, -1, S_X, 0, 0, s3[i].o); f->msz = s3[i].m; f->zone = s3[i].z; f->share = 60; }
  { Form *f = f_("lddqu", 0xf2, 0x0ff0, E_M, -1, S_X, 0, 0, 0); f->msz = 16; f->share = 30; }
  cat = "ssse3"; for (int k = 0; k < 0x20; k++) if (k < 0x0c || (k >= 0x1c && k < 0x1f)) { Form *f = f_(nm("ssse3 %02x mm", k), 0, 0x0f3800 | k, E_R, -1, S_X, 0, 0, 0); f->msz = 8; f->share = 30; f = f_(nm("ssse3 %02x x", k), 0x66, 0x0f3800 | k, E_R, -1, S_X, 0, 0, O_ALIGN); f->msz = 16; f->share = 30; }
  { Form *f = f_("palignr mm", 0, 0x0f3a0f, E_R, -1, S_X, I_B, 0, 0); f->msz = 8; f->share = 40; f = f_("palignr x", 0x66, 0x0f3a0f, E_R, -1, S_X, I_B, 0, O_ALIGN); f->msz = 16; f->share = 40; }
  cat = "sse4"; static const struct { u32 op; u8 m; u8 imm; u8 z; u8 sz; } s4[] = {{0x0f3810, 16, 0, Z_INT, S_X}, {0x0f3814, 16, 0, Z_F32, S_X}, {0x0f3815, 16, 0, Z_F64, S_X}, {0x0f3817, 16, 0, Z_INT, S_X}, {0x0f3820, 8, 0, Z_INT, S_X}, {0x0f3821, 4, 0, Z_INT, S_X}, {0x0f3822, 2, 0, Z_INT, S_X}, {0x0f3823, 8, 0, Z_INT, S_X}, {0x0f3824, 4, 0, Z_INT, S_X}, {0x0f3825, 8, 0, Z_INT, S_X}, {0x0f3828, 16, 0, Z_INT, S_X}, {0x0f3829, 16, 0, Z_INT, S_X}, {0x0f382b, 16, 0, Z_INT, S_X}, {0x0f3830, 8, 0, Z_INT, S_X}, {0x0f3831, 4, 0, Z_INT, S_X}, {0x0f3832, 2, 0, Z_INT, S_X}, {0x0f3833, 8, 0, Z_INT, S_X}, {0x0f3834, 4, 0, Z_INT, S_X}, {0x0f3835, 8, 0, Z_INT, S_X}, {0x0f3837, 16, 0, Z_INT, S_X},
    {0x0f3838, 16, 0, Z_INT, S_X}, {0x0f3839, 16, 0, Z_INT, S_X}, {0x0f383a, 16, 0, Z_INT, S_X}, {0x0f383b, 16, 0, Z_INT, S_X}, {0x0f383c, 16, 0, Z_INT, S_X}, {0x0f383d, 16, 0, Z_INT, S_X}, {0x0f383e, 16, 0, Z_INT, S_X}, {0x0f383f, 16, 0, Z_INT, S_X}, {0x0f3840, 16, 0, Z_INT, S_X}, {0x0f3841, 16, 0, Z_INT, S_X}, {0x0f3a08, 16, 1, Z_F32, S_X}, {0x0f3a09, 16, 1, Z_F64, S_X}, {0x0f3a0a, 4, 1, Z_F32, S_X}, {0x0f3a0b, 8, 1, Z_F64, S_X}, {0x0f3a0c, 16, 1, Z_F32, S_X}, {0x0f3a0d, 16, 1, Z_F64, S_X}, {0x0f3a0e, 16, 1, Z_INT, S_X}, {0x0f3a14, 1, 1, Z_INT, S_X}, {0x0f3a15, 2, 1, Z_INT, S_X}, {0x0f3a16, 0, 1, Z_INT, S_32}, {0x0f3a17, 4, 1, Z_INT, S_X}, {0x0f3a20, 1, 1, Z_INT, S_X}, {0x0f3a21, 4, 1, Z_F32, S_X}, {0x0f3a22, 0, 1, Z_INT, S_32}, {0x0f3a40, 16, 1, Z_F32, S_X}, {0x0f3a41, 16, 1, Z_F64, S_X}, {0x0f3a42, 16, 1, Z_INT, S_X}, {0x0f3a60, 16, 1, Z_STR, S_X}, {0x0f3a61, 16, 1, Z_STR, S_X}, {0x0f3a62, 16, 1, Z_STR, S_X}, {0x0f3a63, 16, 1, Z_STR, S_X}};
  for (u32 i = 0; i < sizeof s4 / sizeof *s4; i++) { Form *f = f_(nm("sse4 %04x", s4[i].op & 0xffff), 0x66, s4[i].op, E_R, -1, s4[i].sz, s4[i].imm ? I_B : 0, 0, s4[i].m == 16 && (s4[i].op & 0xf0) != 0x60 ? O_ALIGN : 0); f->msz = s4[i].m; f->zone = s4[i].z; f->share = 40; }
  f_("crc32 b", 0xf2, 0x0f38f0, E_R, -1, S_B, 0, 0, 0)->share = 50; f_("crc32 v", 0xf2, 0x0f38f1, E_R, -1, S_V, 0, 0, 0)->share = 50; f_("popcnt", 0xf3, 0x0fb8, E_R, -1, S_V, 0, 0, 0);
  cat = "ext"; f_("lzcnt", 0xf3, 0x0fbd, E_R, -1, S_V, 0, OF | SF | AF | PF, 0); f_("tzcnt", 0xf3, 0x0fbc, E_R, -1, S_V, 0, OF | SF | AF | PF, 0); f_("movbe ld", 0, 0x0f38f0, E_M, -1, S_V, 0, 0, 0)->share = 50; f_("movbe st", 0, 0x0f38f1, E_M, -1, S_V, 0, 0, 0)->share = 50;
  f_("adcx", 0x66, 0x0f38f6, E_R, -1, S_32, 0, 0, 0)->share = 30; f_("adox", 0xf3, 0x0f38f6, E_R, -1, S_32, 0, 0, 0)->share = 30;
  for (int k = 0xdb; k < 0xe0; k++) { Form *f = f_(nm("aes %02x", k), 0x66, 0x0f3800 | k, E_R, -1, S_X, 0, 0, O_ALIGN); f->msz = 16; f->share = 25; } { Form *f = f_("aeskeygen", 0x66, 0x0f3adf, E_R, -1, S_X, I_B, 0, O_ALIGN); f->msz = 16; f->share = 25; f = f_("pclmul", 0x66, 0x0f3a44, E_R, -1, S_X, I_B, 0, O_ALIGN); f->msz = 16; f->share = 25; }
  more();
  cat = "fuzz"; f_("fuzz one-byte", 0, 0, E_N, -1, S_X, 0, 0, 0)->share = 4000; f_("fuzz two-byte", 0, 0x0f00, E_N, -1, S_X, 0, 0, 0)->share = 4000;
  for (int i = 0; i < nF; i++) if (!F[i].msz && F[i].enc != E_N && F[i].enc != E_O) F[i].msz = 0;
}

// ---------------------------------------------------------------- one test case
typedef struct { u16 off, len; u8 b[32]; } Patch;
typedef struct {
  u16 form, state, coff; u8 mode; u8 len; u8 code[16]; u16 omask; u64 ov[16]; int nbpre; Patch pre[4];
  u8 approx; int nign; struct { u16 off, len; } ign[4]; u16 und;
} Case;
static int mbits(int mode) { return mode == 0 ? 16 : mode == 1 ? 32 : 64; }
static u64 mask_(int bits) { return bits == 64 ? ~0ull : ((u64)1 << bits) - 1; }
static void ovr(Case *c, int r, u64 v) { c->ov[r] = v; c->omask |= 1 << r; }
static u64 regval(Case *c, int r) { return c->omask >> r & 1 ? c->ov[r] : bank[c->state].r[r]; }
static u32 pick(int z, u32 size, int align) {
  if (pct(2)) return 0xfff0 + below(16);                   // straddles the end of the arena: #PF (or #GP/#SS at the limit, 16-bit)
  u32 a = zone[z].at + below(zone[z].len / zone[z].stride) * zone[z].stride;
  if (align) { a &= ~15u; if (pct(4)) a += 1 + below(15); } else if (pct(6)) a += below(8);
  if (a + size > ARENA_SZ - 16) a = ARENA_SZ - 16 - size;
  return a;
}
static u64 immv(void) { return rint_(); }

// fills modrm/sib/disp for a memory operand at arena offset `off`; returns length, or -1 to retry
static int memop(Case *c, int asz, u32 off, u16 locked, int reg3, u8 *o, u8 *rexXB, int *ripat) {
  u64 t = c->mode == 0 ? off : ARENA + off; int n = 0; *rexXB = 0; *ripat = -1;
  if (asz == 16) {
    static const i8 b1[] = {RBX, RBX, RBP, RBP, RSI, RDI, RBP, RBX}, b2[] = {RSI, RDI, RSI, RDI, -1, -1, -1, -1};
    int mod = below(3), rm = below(8); u16 d = mod == 1 ? (u16)(i8)rnd() : (u16)rnd();
    if (c->mode != 0) t = off; // 67h in 32-bit code: 16-bit offsets from base 0
    if (mod == 0) d = 0;
    if (mod == 0 && rm == 6) { d = (u16)t; o[n++] = reg3 << 3 | 6; memcpy(o + n, &d, 2); return n + 2; }
    int a = b1[rm], b = b2[rm];
    if (b < 0) { if (locked >> a & 1) { if (mod != 2) return -1; d = (u16)(t - regval(c, a)); } else ovr(c, a, (regval(c, a) & ~0xffffull) | (u16)(t - d)); }
    else { int fix = below(2) ? a : b, oth = fix == a ? b : a; if (locked >> fix & 1) { int x = fix; fix = oth; oth = x; }
      if (locked >> fix & 1) { if (mod != 2) return -1; d = (u16)(t - regval(c, a) - regval(c, b)); }
      else ovr(c, fix, (regval(c, fix) & ~0xffffull) | (u16)(t - d - regval(c, oth))); }
    o[n++] = mod << 6 | reg3 << 3 | rm; if (mod == 1) o[n++] = (u8)d; else if (mod == 2) { memcpy(o + n, &d, 2); n += 2; }
    return n;
  }
  u64 am = mask_(asz), keep = c->mode == 2 && asz == 32 ? ~am : 0; int nr = c->mode == 2 ? 16 : 8;
  int shape = below(10);
  if (shape == 0) { // disp32 / RIP-relative / SIB without base
    i32 d = (i32)t;
    if (c->mode == 2 && pct(60)) { o[n++] = reg3 << 3 | 5; *ripat = n; memset(o + n, 0, 4); return n + 4; }
    if (c->mode == 2) { o[n++] = reg3 << 3 | 4; o[n++] = 0x25; } else o[n++] = reg3 << 3 | 5;
    memcpy(o + n, &d, 4); return n + 4;
  }
  if (c->mode == 2 && asz == 64 && below(150) == 0) t = (rnd() & 0xffffffffffull) | 0x0000800000000000ull << below(3); // not canonical
  int mod = below(3); i64 d = mod == 0 ? 0 : mod == 1 ? (i8)rnd() : (i32)rnd();
  if (mod == 2 && pct(50)) d = (i32)(d >> 20);
  int base = below(nr);
  if (shape < 6) { // [base + disp], SIB only where the encoding demands it
    if ((base & 7) == 5 && mod == 0) return -1;
    if (locked >> base & 1) { if (mod != 2) return -1; d = (i64)(t - regval(c, base)); if (asz == 64 ? d != (i32)d : 0) return -1; d = (i32)d; }
    else ovr(c, base, ((t - d) & am) | (regval(c, base) & keep));
    o[n++] = mod << 6 | reg3 << 3 | ((base & 7) == 4 ? 4 : base & 7); if ((base & 7) == 4) o[n++] = 0x24 | below(1) << 6;
    *rexXB = base >> 3;
  } else {
    int idx = below(nr), sc = below(4); if (idx == 4) idx = -1;
    if ((base & 7) == 5 && mod == 0) { // [index*scale + disp32]
      if (idx < 0 || locked >> idx & 1) return -1;
      u64 v = below(4096); ovr(c, idx, v | (regval(c, idx) & keep)); i32 dd = (i32)(t - (v << sc));
      o[n++] = reg3 << 3 | 4; o[n++] = sc << 6 | (idx & 7) << 3 | 5; memcpy(o + n, &dd, 4); *rexXB = (idx >> 3) << 1 | (base >> 3); return n + 4;
    }
    if (idx == base) { if (mod != 2 || locked >> base & 1) return -1; u64 v = below(65536); ovr(c, base, v | (regval(c, base) & keep)); d = (i32)(t - v - (v << sc)); }
    else {
      u64 iv = idx < 0 ? 0 : regval(c, idx);
      if (c->mode == 2 && asz == 64 && idx >= 0 && !(locked >> idx & 1) && pct(50)) { iv = (u64)(i64)(i32)rnd(); ovr(c, idx, iv); }
      u64 s = idx < 0 ? 0 : iv << sc;
      if (locked >> base & 1) { if (mod != 2) return -1; d = (i64)(t - regval(c, base) - s); if (asz == 64 && d != (i32)d) return -1; d = (i32)d; }
      else ovr(c, base, ((t - d - s) & am) | (regval(c, base) & keep));
    }
    o[n++] = mod << 6 | reg3 << 3 | 4; o[n++] = sc << 6 | (idx < 0 ? 4 : idx & 7) << 3 | (base & 7);
    *rexXB = (idx < 0 ? 0 : (idx >> 3) << 1) | base >> 3;
  }
  if (mod == 1) o[n++] = (u8)d; else if (mod == 2) { i32 dd = (i32)d; memcpy(o + n, &dd, 4); n += 4; }
  return n;
}

// Bytes nobody chose: prefixes, an opcode, then noise. Its length is found by running it against the end of the
// code area. Left out is what depends on the operating system, the model or the descriptor tables.
static int fuzzbytes(Case *c, int fi, int mode) {
  memset(c, 0, sizeof *c); c->form = fi; c->mode = mode; c->state = below(NST);
  u8 b[24]; int n = 0, rep = 0, o66 = 0; static const u8 pf[] = {0x66, 0x67, 0xf2, 0xf3, 0x26, 0x2e, 0x36, 0x3e, 0xf0};
  for (int k = pct(50) ? 0 : 1 + below(3); k > 0; k--) { u8 p = pf[below(sizeof pf)]; if (p == 0xf0 && !pct(25)) continue; b[n++] = p; if (p == 0xf2 || p == 0xf3) rep = p; if (p == 0x66) o66 = 1; }
  if (mode == 2 && pct(45)) b[n++] = 0x40 | below(16);
  u8 op = (u8)rnd(), m = (u8)rnd(); if (op == 0x0f) return 0; int two = F[fi].opc == 0x0f00, sub = m >> 3 & 7, rg = m >> 6 == 3;
  if (!two) {
    if (op == 0x26 || op == 0x2e || op == 0x36 || op == 0x3e || (op >= 0x64 && op <= 0x67) || op >= 0xf0 ? (op == 0xf0 || op == 0xf2 || op == 0xf3 || op < 0x68) : 0) return 0;
    if (mode == 2 && (op & 0xf0) == 0x40) return 0;
    static const u8 no[] = {0x62, 0xc4, 0xc5, 0x8e, 0x8c, 0x07, 0x17, 0x1f, 0x06, 0x9a, 0xea, 0xca, 0xcb, 0xcf, 0x9d, 0xcd, 0xf1, 0xf4, 0x8f, 0x06, 0x0e, 0x16, 0x1e}; for (u32 i = 0; i < sizeof no; i++) if (op == no[i]) return 0;
    if (op == 0xff && (sub == 3 || sub == 5)) return 0;
    if (op == 0xc8 || (op >= 0xd8 && op <= 0xdf && !rg && (op == 0xd9 || op == 0xdd) && (sub == 4 || sub == 6))) return 0; // ENTER; x87 environments
    if (op >= 0xd9 && op <= 0xdd && op == 0xd9 && rg && m >= 0xf0 && m != 0xf4 && m != 0xf5 && m != 0xf6 && m != 0xf7 && m != 0xf8 && m != 0xfa && m != 0xfc && m != 0xfd) return 0; // transcendental
  } else {
    static const u8 no[] = {0x00, 0x01, 0x02, 0x03, 0x05, 0x07, 0x0e, 0x0f, 0x1a, 0x1b, 0x1e, 0x31, 0x33, 0x34, 0x35, 0x37, 0x38, 0x3a, 0x52, 0x53, 0x78, 0x79, 0xa0, 0xa1, 0xa2, 0xa8, 0xa9, 0xaa, 0xae, 0xb2, 0xb4, 0xb5, 0xbc, 0xbd, 0xc7, 0xb8, 0x0d, 0xff, 0xb9, 0x04, 0x0a, 0x0c, 0x24, 0x25, 0x26, 0x27, 0x36, 0x39, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0xa6, 0xa7, 0x20, 0x21, 0x22, 0x23, 0xa4, 0xa5, 0xac, 0xad};
    for (u32 i = 0; i < sizeof no; i++) if (op == no[i]) return 0;
    if (op == 0x2b && rep) return 0; // SSE4a
    if (op >= 0x18 && op <= 0x1f && rep) return 0;
    b[n++] = 0x0f;
  }
  (void)o66; b[n++] = op; b[n++] = m; while (n < 24) b[n++] = pct(40) ? (u8)rnd() : pct(50) ? 0 : (u8)below(32);
  memcpy(c->code, b, 15); c->len = 15;
  ovr(c, RSP, mode == 0 ? 0x1400 + below(0x1800) : ARENA + 0x1400 + below(0x1800)); if (pct(85)) c->ov[RSP] &= ~7ull;
  if (pct(75)) for (int r = 0; r < (mode == 2 ? 16 : 8); r++) if (r != RSP && pct(60)) { u32 a = zone[below(10)].at; a += below(0x400); ovr(c, r, mode == 0 ? a & 0xfff0 : ARENA + (a & ~7u)); }
  if (rep || (op >= 0xe0 && op <= 0xe3)) ovr(c, RCX, below(12));
  return 1;
}
static void fuzzund(Case *c) { // the flags the architecture leaves undefined, from the bytes alone
  int i = 0, o66 = 0, W = 0; for (; i < c->len; i++) { u8 b = c->code[i]; if (b == 0x66) o66 = 1; else if (b == 0x67 || b == 0xf2 || b == 0xf3 || b == 0x26 || b == 0x2e || b == 0x36 || b == 0x3e || b == 0xf0) ; else if (c->mode == 2 && (b & 0xf0) == 0x40) { W = b >> 3 & 1; i++; break; } else break; }
  int two = c->code[i] == 0x0f; if (two) i++;
  u8 op = c->code[i], sub = c->code[i + 1] >> 3 & 7; int byteop = !(op & 1); u32 bits = byteop ? 8 : W ? 64 : (c->mode == 0) ^ o66 ? 16 : 32; u16 u = 0;
  if (two) { if (op == 0xaf) u = SF | ZF | AF | PF; if (op == 0xa3 || op == 0xab || op == 0xb3 || op == 0xbb || op == 0xba) u = OF | SF | AF | PF; }
  else if (op < 0x40 && (op & 7) < 6) { if ((op >> 3) == 1 || (op >> 3) == 4 || (op >> 3) == 6) u = AF; }
  else if (op >= 0x80 && op <= 0x83) { if (sub == 1 || sub == 4 || sub == 6) u = AF; }
  else if (op == 0x84 || op == 0x85 || op == 0xa8 || op == 0xa9) u = AF;
  else if (op == 0x69 || op == 0x6b) u = SF | ZF | AF | PF;
  else if (op == 0xf6 || op == 0xf7) u = sub < 2 ? AF : sub < 4 ? 0 : sub < 6 ? SF | ZF | AF | PF : CF | PF | AF | ZF | SF | OF;
  else if (op == 0x27 || op == 0x2f) u = OF; else if (op == 0x37 || op == 0x3f) u = OF | SF | ZF | PF; else if (op == 0xd4 || op == 0xd5) u = OF | AF | CF;
  else if (op == 0xc0 || op == 0xc1 || (op >= 0xd0 && op <= 0xd3)) { u32 n = op < 0xd0 ? c->code[c->len - 1] : op < 0xd2 ? 1 : (u32)regval(c, RCX); n &= bits == 64 ? 63 : 31; if (n) { if (n != 1) u |= OF; if (sub >= 4) u |= AF | (n >= bits && sub != 7 ? CF : 0); } }
  c->und = u;
}
// A selector: mostly the program's own descriptors, null ones, what lies beyond the LDT, and the supervisor's.
static u16 selector_(Form *f, int mode) {
  static const u16 k[] = {CS16, DS16, DSEL, CS32, CS64, 0, 1, 2, 3, 0x17, 0x1f, 0x10, 0x13, 0x18, 0x1b, 0x04, 0x0c, 0x2a, 0x28, 0x20};
  (void)mode; (void)f; return pct(45) ? (pct(50) ? DS16 : DSEL) : k[below(sizeof k / sizeof *k)];
}
static int build(Case *c, int fi, int mode) {
  if (F[fi].cat[0] == 'f') return fuzzbytes(c, fi, mode);
  Form *f = &F[fi]; memset(c, 0, sizeof *c); c->form = fi; c->mode = mode; c->state = below(NST);
  int dflt = mode == 0 ? 16 : 32, op66 = 0, a67 = 0, rex = 0, W = 0, osz = dflt;
  u16 locked = 1 << RSP;
  if (f->sz == S_V || f->sz == S_V64) {
    int near64 = (f->opt & (O_NEAR | O_RET)) && mode == 2;
    if (!near64 && !(f->opt & O_N66 && mode != 0 ) && !f->pfx && pct(mode == 0 ? 45 : 25)) op66 = 1;
    if (f->pfx && pct(25) && f->pfx != 0x66) op66 = 1;
    if (f->opt & O_N66) op66 = (mode == 0) ^ pct(15); // BSWAP of 16 bits: undefined, zero everywhere
    if (mode == 2 && pct(f->sz == S_V64 ? 10 : 40)) W = 1;
    osz = op66 ? (dflt == 16 ? 32 : 16) : dflt;
    if (mode == 2 && (W || (f->sz == S_V64 && !op66))) osz = 64;
    if (mode == 2 && f->imm == I_RZ) { osz = 64; W = W && pct(20); }
    if (f->opt & (O_RET | O_NEAR) && mode == 1 && op66 && pct(60)) op66 = 0, osz = 32; // 16-bit EIP leaves the code area
    if (f->opt & (O_FARM | O_FARPTR) && W) W = 0, osz = op66 ? 16 : 32; // m16:64 exists on Intel only
    if (f->opt & (O_FARRET | O_IRET | O_FARM) && mode == 2 && op66 && pct(80)) op66 = 0, osz = W ? 64 : 32;
  } else if (f->sz == S_B) { osz = 8; if (mode == 2 && pct(15)) W = 1; }
  else if (f->sz == S_32) { if (mode == 2 && (pct(45) || f->msz == 16)) W = 1; osz = W ? 64 : 32; if (f->opt & O_ALIGN && f->msz >= 254) W = pct(50) && mode == 2; }
  else if (mode == 2 && pct(6)) W = 1;
  int msz = f->msz ? f->msz : osz / 8; if (f->msz == 255) msz = 512; if (f->msz == 254) msz = 576;
  if (f->opt & (O_FARM | O_FARPTR)) msz = 2 + osz / 8;
  int asz = mode == 0 ? 16 : mode == 1 ? 32 : 64;
  int usesmem = f->enc == E_M || f->enc == E_R || f->imm == I_MO || f->opt & (O_STR | O_XLAT | O_RDI | O_SMALL);
  if (usesmem && pct(mode == 0 ? 30 : mode == 1 ? (f->opc == 0x8d ? 30 : 1) : 8)) { a67 = 1; asz = mode == 1 ? 16 : 32; }
  u8 seg = 0; if (usesmem && pct(5)) { static const u8 s[] = {0x26, 0x36, 0x3e, 0x2e}; seg = s[below(mode == 0 ? 3 : 4)]; }
  // the stack
  { u32 z = Z_STACK; u32 so = zone[z].at + 0x400 + below(0x1800); so &= mode == 2 ? ~7u : ~1u; if (pct(10)) so += below(8);
    if (f->opt & O_RET) { u32 w = osz; so = w == 64 ? 0xc000 + below(0x60) * 8 : w == 32 ? 0xc400 + below(0xc0) * 4 : 0xc800 + below(0x180) * 2; if (pct(10)) so += 1; }
    ovr(c, RSP, (mode == 0 ? (regval(c, RSP) & 0xffff0000u) | so : ARENA + so)); if (mode == 0) ovr(c, RSP, so); }
  if (f->opt & O_FRAME) { u32 so = zone[Z_STACK].at + 0x400 + below(0x1800); ovr(c, RBP, mode == 0 ? so : ARENA + so); locked |= 1 << RBP; }
  if (f->opt & O_CL) { u8 n = pct(70) ? below(70) : (u8)rnd(); ovr(c, RCX, (regval(c, RCX) & ~0xffull) | n); locked |= 1 << RCX; }
  if (f->opt & O_SMALL) { u64 n = pct(50) ? 1 : pct(50) ? 0 : below(9); ovr(c, RCX, (regval(c, RCX) & ~mask_(asz)) | n); }
  if (f->opt & O_DIV) {
    int hi = osz == 8 ? RAX : RDX; u64 v = pct(55) ? 0 : pct(50) ? below(4) : regval(c, hi);
    int neg = f->digit == 7 && pct(50);
    if (osz == 8) ovr(c, RAX, (regval(c, RAX) & ~0xffffull) | (pct(60) ? (u16)(neg ? -(int)below(200) : (int)below(200)) : (u16)rnd()));
    else { if (neg) { v = ~v; ovr(c, RAX, regval(c, RAX) | 1ull << (osz - 1)); } ovr(c, RDX, v); }
    locked |= 1 << RAX | 1 << RDX;
  }
  if (f->opt & O_STR || f->opt & O_RDI) {
    u64 keep = mode == 2 && asz == 32 ? ~mask_(32) : mode == 0 && asz == 16 ? 0xffff0000ull : 0; u64 add = mode == 0 ? 0 : ARENA;
    u32 s = pick(pct(70) ? Z_STR : Z_INT, 200, 0), d = pick(pct(70) ? Z_STR : Z_INT, 200, 0); if (pct(20)) d = (s + below(40) - 20) & 0xffff; if (s < 0x200) s = 0x200; if (d < 0x200) d = 0x200;
    if (mode == 0) { if (s > 0xfd00 && asz == 32) s = 0xfd00; }
    ovr(c, RSI, (regval(c, RSI) & keep) | (add + s)); ovr(c, RDI, (regval(c, RDI) & keep) | (add + d)); locked |= 1 << RSI | 1 << RDI;
  }
  if (f->opt & O_XSAVE) { // EDX:EAX asks for x87 and SSE only: what else there is differs from processor to processor
    ovr(c, RAX, (regval(c, RAX) & ~0xffffffffull) | below(4)); ovr(c, RDX, regval(c, RDX) & ~0xffffffffull); locked |= 1 << RAX | 1 << RDX;
  }
  if (f->opt & O_XLAT) { u64 keep = mode == 2 && asz == 32 ? ~mask_(32) : mode == 0 && asz == 16 ? ~0xffffull : 0; ovr(c, RBX, (regval(c, RBX) & keep) | ((mode ? ARENA : 0) + pick(Z_STR, 256, 0))); }
  // prefixes of the instruction itself
  u8 pre[8]; int np = 0; u8 rep = 0;
  if (f->opt & (O_REP | O_REPC) && pct(60)) { rep = f->opt & O_REPC && pct(50) ? 0xf2 : 0xf3; u64 n = pct(15) ? 0 : 1 + below(18); ovr(c, RCX, (regval(c, RCX) & ~mask_(asz)) | n); if (mode == 1) c->ov[RCX] &= 0xffffffff; }
  int mem = f->enc == E_M || (f->enc == E_R && pct(60));
  u8 lock = f->opt & O_LOCK && mem && pct(25);
  // opcode, operands
  u8 body[24]; int n = 0, ripat = -1; u32 riptgt = 0, fxat = 0; u8 xb = 0; int reg = f->digit >= 0 ? f->digit : below(mode == 2 ? 16 : 8), rm = below(mode == 2 ? 16 : 8);
  if (f->cat[0] == 's' && f->opc == 0x8c) reg = (u8[]){0, 1, 2, 3}[below(4)];
  if (f->opc == 0x8c && f->cat[0] == 's' && mode == 2 && (reg == 0 || reg == 3)) reg = 1 + below(2); // DS/ES hold 2Bh here, but are of no meaning in long mode
  if (f->digit >= 0 && mode == 2 && pct(5)) reg |= 8;
  for (int i = f->nop - 1; i >= 0; i--) body[n++] = (u8)(f->opc >> 8 * i);
  if (f->enc == E_O) { rm = below(mode == 2 ? 16 : 8); if ((f->opc == 0x90) && (rm & 7) == 0 && !pct(20)) rm |= 1 + below(6); body[n - 1] |= rm & 7; rex = rm >> 3; }
  else if (f->enc != E_N) {
    if (mem) {
      u32 off;
      if (f->opt & O_IBR) { off = osz == 64 ? 0xc000 + below(0x7f) * 8 : osz == 32 ? 0xc400 + below(0xff) * 4 : 0xc800 + below(0x1ff) * 2; }
      else off = pick(f->zone, msz, f->opt & O_ALIGN && msz == 16 ? 1 : f->opt & O_ALIGN && msz == 512 ? 1 : 0);
      if (f->opt & O_ALIGN && msz == 512) fxat = off = (0x1000 + below(0x1c0) * 16) + (pct(6) ? 8 : 0);
      if (f->opt & O_XSAVE) fxat = off = (0x1000 + below(0x70) * 64) + (pct(6) ? 8 << below(3) : 0);
      if (f->opt & (O_ENV)) off = 0x1000 + below(0x2000);
      if (f->opt & O_BT && f->digit < 0) { // bit offset register
        i64 b = pct(60) ? (i64)below(osz) : (i64)below(2048) - 1024; u64 v = (u64)b & mask_(osz);
        ovr(c, reg, osz == 64 ? v : (regval(c, reg) & ~mask_(osz)) | v); locked |= 1 << reg; if (reg == RSP) return 0;
        if (off > 0xfe00 || off < 0x200) off = 0xa400 + below(0x1000);
      }
      if (f->opt & O_FARM) { // a far pointer to our own code segment
        u64 ip = (mode ? CODE : 0) + below(CODE_SZ - 16); u16 sel = mode == 0 ? CS16 : mode == 1 ? CS32 : CS64; off = 0x100 + below(0xe00) * 1;
        c->pre[0].off = off; c->pre[0].len = osz / 8 + 2; memcpy(c->pre[0].b, &ip, osz / 8); memcpy(c->pre[0].b + osz / 8, &sel, 2); c->nbpre = 1;
      }
      if (f->opt & O_SEL) { u16 sel = selector_(f, mode); c->pre[0].off = off; c->pre[0].len = 2; memcpy(c->pre[0].b, &sel, 2); c->nbpre = 1; }
      if (f->opt & O_FARPTR) { u64 v = rint_(); u16 sel = selector_(f, mode); int w = osz / 8; c->pre[0].off = off; c->pre[0].len = w + 2; memcpy(c->pre[0].b, &v, w); memcpy(c->pre[0].b + w, &sel, 2); c->nbpre = 1; }
      if (mode == 1 && asz == 16 && off + 0 > 0xffff) return 0;
      int k = memop(c, asz, off, locked, reg & 7, body + n, &xb, &ripat); if (k < 0) return 0;
      if (ripat >= 0) ripat += n;
      n += k; rex = (reg >> 3) << 2 | xb;
      if (f->opt & O_ENV) { // instruction/data pointers differ between CPUs: not part of the vector
        u32 s16 = (mode == 0) ^ 0; if (s16) c->ign[c->nign].off = off + 6, c->ign[c->nign++].len = 8; else c->ign[c->nign].off = off + 12, c->ign[c->nign++].len = 16;
      }
      if (f->opt & O_FX) { c->ign[c->nign].off = off + 6, c->ign[c->nign++].len = 18; c->ign[c->nign].off = off + 28, c->ign[c->nign++].len = 4; c->ign[c->nign].off = off + (mode == 2 ? 416 : 288), c->ign[c->nign++].len = mode == 2 ? 96 : 224; }
      if (ripat >= 0) riptgt = off;
    } else {
      if (f->enc == E_G && f->digit < 0) reg = below(mode == 2 ? 16 : 8);
      if (f->opt & O_SEL) { if (rm == RSP) return 0; ovr(c, rm, (regval(c, rm) & ~0xffffull) | selector_(f, mode)); }
      if (f->opt & O_IBR) { u64 v = (mode ? CODE : 0) + below(CODE_SZ - 16); if (rm == RSP) return 0; if (mode == 2 && pct(3)) v |= 0x0001000000000000ull; ovr(c, rm, osz == 64 ? v : (regval(c, rm) & ~mask_(osz)) | v); }
      body[n++] = 0xc0 | (reg & 7) << 3 | (rm & 7); rex = (reg >> 3) << 2 | rm >> 3;
      if (f->cat[0] == 'x' && f->cat[1] == '8') rex = 0;
    }
  }
  if (mode != 2) rex = 0;
  if (mode == 2 && (rex || W || (f->sz == S_B && pct(30)) || pct(4)) && !(f->opt & O_VEX)) rex |= 0x40 | W << 3;
  if (f->sz == S_B && mode == 2 && f->enc == E_O && rm > 7) rex |= 0x40;
  // immediates
  u64 iv = immv(); int il = 0;
  switch (f->imm) {
  case I_B: il = 1; if (f->urule || (f->opc & 0xfff0) == 0x0f70) iv = pct(75) ? below(70) : rnd(); if (f->opc == 0xcd) { iv = rnd() & 0xff; if (iv == 0x80 || iv == 2 || iv == 0x82) iv = 0x41; } break;
  case I_W: il = 2; iv = pct(80) ? below(64) : below(2048); break;
  case I_Z: il = osz == 16 ? 2 : osz == 8 ? 1 : 4; break;
  case I_V: il = osz / 8; break;
  case I_R8: il = 1; iv = (u64)(i64)(i8)rnd(); break;
  case I_RZ: il = osz == 16 ? 2 : 4; iv = (u64)((i64)below(0x1800) - 0x700); break;
  case I_MO: il = asz / 8; iv = (mode && !(mode == 1 && asz == 16) ? ARENA : 0) + pick(f->zone, msz, 0); break;
  case I_AP: { u64 ip = (mode ? CODE : 0) + below(CODE_SZ - 16), sel = mode == 0 ? CS16 : CS32; if (pct(10)) sel = (u16[]){0, 3, 0x17, DS16, DSEL, 0x10}[below(6)]; iv = osz == 16 ? (ip & 0xffff) | sel << 16 : ip | sel << 32; il = osz / 8 + 2; break; }
  case I_WB: { u32 lev = pct(60) ? 0 : pct(70) ? 1 + below(4) : below(40); iv = below(300) | (u64)lev << 16; il = 3; break; }
  }
  memcpy(body + n, &iv, il); n += il;
  if (f->opt & O_VEX) { // three bytes of opcode become C4, two bytes, and the last of the opcode
    int v = below(mode == 2 ? 16 : 8), pp = f->pfx == 0x66 ? 1 : f->pfx == 0xf3 ? 2 : f->pfx == 0xf2 ? 3 : 0, l = f->opt & O_UNDOC ? 1 : pct(1), r = mode == 2 ? rex : 0, w = mode == 2 ? W : pct(10);
    u8 map = body[1] == 0x38 ? 2 : 3, op = body[2];
    memmove(body + 4, body + 3, n - 3); n++; if (ripat >= 0) ripat++;
    body[0] = 0xc4; body[1] = (u8)((~r >> 2 & 1) << 7 | (~r >> 1 & 1) << 6 | (~r & 1) << 5 | map); body[2] = (u8)(w << 7 | (~v & 15) << 3 | l << 2 | pp); body[3] = op;
    if (f->imm && pct(97)) body[2] |= 0x78; // vvvv is not used: 1111, or #UD
  }
  // assemble: legacy prefixes in random order, then REX
  if (lock) pre[np++] = 0xf0;
  if (rep) pre[np++] = rep;
  if (op66) pre[np++] = 0x66;
  if (a67) pre[np++] = 0x67;
  if (seg) pre[np++] = seg;
  if (f->pfx && !(f->opt & O_VEX)) pre[np++] = f->pfx;
  if (f->opt & O_VEX && pct(2)) pre[np++] = (u8[]){0x66, 0xf2, 0xf3, 0xf0}[below(4)]; // #UD before VEX
  for (int i = np - 1; i > 0; i--) { int j = below(i + 1); u8 t = pre[i]; pre[i] = pre[j]; pre[j] = t; }
  int len = 0; for (int i = 0; i < np; i++) c->code[len++] = pre[i];
  if (rex & 0x40) c->code[len++] = rex;
  if (len + n > 15) return 0;
  memcpy(c->code + len, body, n);
  c->coff = pct(94) ? 0x800 : pct(75) ? 0x1000 - 1 - below(14) : CODE_SZ - (len + n) + (pct(40) ? below(len + n) : 0); // page-crossing; end of code: fetch #PF
  if (c->coff + (len + n) > CODE_SZ && (c->coff >= CODE_SZ || f->opt & O_WHOLE || strstr(f->name, "#UD"))) c->coff = 0x800;
  if (ripat >= 0) { i32 d = (i32)(ARENA + riptgt - (CODE + c->coff + len + n)); memcpy(c->code + len + ripat, &d, 4); }
  c->len = len + n;
  c->approx = !!(f->opt & O_APPROX);
  // far returns need a frame
  if (f->opt & (O_FARRET | O_IRET)) {
    u64 ip = (mode ? CODE : 0) + below(CODE_SZ - 16), sp = c->ov[RSP]; u16 sel = mode == 0 ? CS16 : mode == 1 ? CS32 : CS64; int w = osz / 8; u8 *b = c->pre[0].b; int q = 0;
    u64 a = sel, flg = 0x202 | (rnd() & 0xcd5), nsp = ARENA + 0x1400 + below(0x1000), ss = DSEL;
    memcpy(b + q, &ip, w); q += w; memcpy(b + q, &a, w); q += w;
    if (f->opt & O_IRET) { memcpy(b + q, &flg, w < 8 ? w : 8); q += w; }
    c->pre[0].off = (u16)(mode ? sp - ARENA : sp); c->pre[0].len = q; c->nbpre = 1;
    if (f->opt & O_IRET && mode == 2) { if (w == 8 || w == 4) { if (q + 2 * w > 32) { c->pre[1].off = c->pre[0].off + q; memcpy(c->pre[1].b, &nsp, w); memcpy(c->pre[1].b + w, &ss, w); c->pre[1].len = 2 * w; c->nbpre = 2; } else { memcpy(b + q, &nsp, w); memcpy(b + q + w, &ss, w); c->pre[0].len = q + 2 * w; } } }
  }
  if (f->opt & O_ALIGN && msz == 512 && f->digit == 1 && mem && pct(80)) { // FXRSTOR: an image with a legal MXCSR, or it would only ever fault
    u32 v = 0x1f80 | below(64) | below(4) << 13; c->pre[0].off = fxat + 24; c->pre[0].len = 4; memcpy(c->pre[0].b, &v, 4); c->nbpre = 1;
  }
  if (f->opt & O_POPSEG) { u64 v = rnd(); u16 sel = selector_(f, mode); memcpy(&v, &sel, 2); c->pre[0].off = (u16)(mode ? c->ov[RSP] - ARENA : c->ov[RSP]); c->pre[0].len = osz / 8; memcpy(c->pre[0].b, &v, osz / 8); c->nbpre = 1; }
  if (f->opt & O_XSAVE && mem) {
    u8 h[64] = {0}; h[0] = below(4); if (pct(4)) h[8 + below(16)] = 1; else if (pct(2)) h[7] = 0x40;
    for (int k = 0; k < 2; k++) { c->pre[k].off = fxat + 512 + 32 * k; c->pre[k].len = 32; memcpy(c->pre[k].b, h + 32 * k, 32); }
    c->nbpre = 2;
    if (f->digit == 5) { u32 v = 0x1f80 | below(64) | below(4) << 13; if (pct(4)) v |= 0x10000; c->pre[2].off = fxat + 24; c->pre[2].len = 4; memcpy(c->pre[2].b, &v, 4); c->nbpre = 3; }
  }
  if (f->opt & O_POPF) { u64 v = rnd() & 0x3ed7; // neither TF, NT, AC nor ID: sigreturn would not undo them
    c->pre[0].off = (u16)(mode ? c->ov[RSP] - ARENA : c->ov[RSP]); c->pre[0].len = osz / 8; memcpy(c->pre[0].b, &v, osz / 8); c->nbpre = 1; }
  for (int i = 0; i < c->nbpre; i++) if (c->pre[i].off + c->pre[i].len > 0xfff0) return 0;
  // undefined flags
  c->und = f->und;
  u32 bits = osz;
  if (f->urule) {
    u64 cnt = f->imm == I_B ? iv : f->opt & O_CL ? regval(c, RCX) : 1; u32 n5 = (u32)cnt & (bits == 64 ? 63 : 31);
    if (f->urule == U_SHIFT) { if (n5) c->und |= AF | (n5 != 1 ? OF : 0) | (n5 >= bits && f->digit != 7 ? CF : 0); }
    if (f->urule == U_ROT) { if (n5 && n5 != 1) c->und |= OF; }
    if (f->urule == U_SHD) { if (n5 > bits) return 0; if (n5) c->und |= AF | (n5 != 1 ? OF : 0); }
  }
  if (mode != 2) for (int i = 0; i < 8; i++) c->ov[i] &= 0xffffffff;
  if (mode != 2) c->omask &= 0xff;
  return 1;
}

// ---------------------------------------------------------------- running it
typedef struct { St s; u8 trap; u32 err; u64 cr2; u32 cs, ss; int dropped; } Out;
static ucontext_t saved; static u8 savedfpbuf[512];
static int started, finished; static Case *cur; static Out *outp;
static u8 *const arena = (u8 *)(uintptr_t)ARENA, *const code = (u8 *)(uintptr_t)CODE;
static void (*next)(void); // called in the handler with `outp` filled; sets `cur` or finishes
static const int gmap[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI, REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
static u64 fsbase, gsbase; // glibc's thread pointer: an instruction may have loaded FS
static long prctl_(long code, u64 v) { long r = 158; __asm__ volatile("syscall" : "+a"(r) : "D"(code), "S"(v) : "rcx", "r11", "memory"); return r; }
static void setfsgs(void) { u16 f, g; __asm__ volatile("mov %%fs,%0; mov %%gs,%1" : "=r"(f), "=r"(g)); static int once; if (f || g || !once) { once = 1; __asm__ volatile("mov %0,%%fs; mov %0,%%gs" ::"r"(0)); } prctl_(0x1002, fsbase); prctl_(0x1001, gsbase); }
static void setdses(u16 v) { __asm__ volatile("mov %0,%%ds; mov %0,%%es" ::"r"(v)); }
static void initial(Case *c, St *s) {
  *s = bank[c->state];
  for (int i = 0; i < 16; i++) if (c->omask >> i & 1) s->r[i] = c->ov[i];
  if (c->mode != 2) for (int i = 0; i < 16; i++) s->r[i] = i < 8 ? s->r[i] & 0xffffffff : 0;
}
static void load(ucontext_t *uc, Case *c) {
  St s; initial(c, &s); greg_t *g = uc->uc_mcontext.gregs; u8 *fp = (u8 *)uc->uc_mcontext.fpregs;
  memcpy(arena, arena0, ARENA_SZ);
  for (int i = 0; i < c->nbpre; i++) memcpy(arena + c->pre[i].off, c->pre[i].b, c->pre[i].len);
  for (int i = 0; i < 16; i++) g[gmap[i]] = s.r[i];
  g[REG_RIP] = c->mode == 0 ? c->coff : CODE + c->coff; g[REG_EFL] = s.fl;
  u64 cs = c->mode == 0 ? CS16 : c->mode == 1 ? CS32 : CS64, ss = c->mode == 0 ? DS16 : DSEL;
  g[REG_CSGSFS] = (g[REG_CSGSFS] & 0x0000ffffffff0000ull) | cs | ss << 48;
  memcpy(fp, &s.fcw, 2); memcpy(fp + 2, &s.fsw, 2); fp[4] = s.ftw; fp[5] = 0; memset(fp + 6, 0, 18); memcpy(fp + 24, &s.mxcsr, 4);
  int top = s.fsw >> 11 & 7;
  for (int i = 0; i < 8; i++) { memset(fp + 32 + 16 * i, 0, 16); memcpy(fp + 32 + 16 * i, s.phys[(top + i) & 7], 10); }
  memcpy(fp + 160, s.xmm, 256);
  *(u64 *)(fp + 512) |= 3; // XSTATE_BV: x87 and SSE are in the image
  setdses(c->mode == 0 ? DS16 : DSEL);
}
static void capture(ucontext_t *uc, Case *c, Out *o, int sig) {
  greg_t *g = uc->uc_mcontext.gregs; u8 *fp = (u8 *)uc->uc_mcontext.fpregs; St *s = &o->s; memset(o, 0, sizeof *o);
  for (int i = 0; i < 16; i++) s->r[i] = g[gmap[i]];
  if (c->mode != 2) for (int i = 0; i < 16; i++) s->r[i] = i < 8 ? s->r[i] & 0xffffffff : 0;
  s->rip = g[REG_RIP]; s->fl = (u32)g[REG_EFL]; o->cs = g[REG_CSGSFS] & 0xffff; o->ss = (u64)g[REG_CSGSFS] >> 48;
  memcpy(&s->fcw, fp, 2); memcpy(&s->fsw, fp + 2, 2); s->ftw = fp[4]; memcpy(&s->mxcsr, fp + 24, 4);
  int top = s->fsw >> 11 & 7; for (int i = 0; i < 8; i++) memcpy(s->phys[(top + i) & 7], fp + 32 + 16 * i, 10);
  memcpy(s->xmm, fp + 160, 256);
  o->trap = (u8)g[REG_TRAPNO]; o->err = (u32)g[REG_ERR]; o->cr2 = g[REG_CR2]; o->dropped = sig == SIGVTALRM;
  u64 start = c->mode == 0 ? c->coff : CODE + c->coff, lin = (c->mode == 0 ? CODE : 0) + s->rip;
  u16 want = c->mode == 0 ? CS16 : c->mode == 1 ? CS32 : CS64;
  if (o->trap == 13 && s->rip != start && o->cs == want && lin >= CODE && lin < CODE + CODE_SZ && code[lin - CODE] == 0xf4) { o->trap = 0xff; o->err = 0; }
  if (o->trap == 1 && !(c->code[0] == 0xf1)) o->dropped = 1;
  if (o->trap != 14) o->cr2 = 0;
}
static void setcode(Case *c) { memset(code, 0xf4, CODE_SZ); for (int i = 0; i < c->len && c->coff + i < (int)CODE_SZ; i++) code[c->coff + i] = c->code[i]; }
static void handler(int sig, siginfo_t *si, void *p) {
  setfsgs(); ucontext_t *uc = p; (void)si;
  if (!started) { started = 1; saved = *uc; memcpy(savedfpbuf, uc->uc_mcontext.fpregs, 512); }
  else capture(uc, cur, outp, sig);
  setdses(0); next();
  if (finished) { uc->uc_mcontext = saved.uc_mcontext; memcpy(uc->uc_mcontext.fpregs, savedfpbuf, 512); uc->uc_mcontext.gregs[REG_RIP] += 2; started = 0; return; }
  setcode(cur); load(uc, cur);
  struct itimerval it = {{0, 0}, {0, 20000}}; static int tick; if ((tick++ & 63) == 0 || sig == SIGVTALRM) setitimer(ITIMER_VIRTUAL, &it, 0);
}
static void alrm(int sig, siginfo_t *si, void *p) { // fires now and then; only means something if we are stuck in a test
  static Case *last; static int seen; if (!started || !cur) return;
  ucontext_t *uc = p; u64 rip = uc->uc_mcontext.gregs[REG_RIP]; (void)rip;
  if (last == cur && seen++ > 2) { seen = 0; handler(sig, si, p); } else if (last != cur) { last = cur; seen = 0; }
  struct itimerval it = {{0, 0}, {0, 20000}}; setitimer(ITIMER_VIRTUAL, &it, 0);
}
static void machine(void (*fn)(void)) {
  static int once;
  if (!once) {
    once = 1;
    if (mmap((void *)(uintptr_t)ARENA, ARENA_SZ, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED ||
        mmap((void *)(uintptr_t)CODE, CODE_SZ, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED) { perror("mmap low memory"); exit(1); }
    struct user_desc d = {.entry_number = 0, .base_addr = CODE, .limit = 0xffff, .contents = 2, .useable = 1};
    if (syscall(SYS_modify_ldt, 0x11, &d, sizeof d)) perror("modify_ldt");
    d.entry_number = 1; d.contents = 0; d.base_addr = ARENA; if (syscall(SYS_modify_ldt, 0x11, &d, sizeof d)) perror("modify_ldt");
    prctl_(0x1003, (u64)(uintptr_t)&fsbase); prctl_(0x1004, (u64)(uintptr_t)&gsbase);
    stack_t ss = {.ss_sp = malloc(1 << 18), .ss_size = 1 << 18}; sigaltstack(&ss, 0);
    struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK}; sigfillset(&sa.sa_mask);
    int sg[] = {SIGSEGV, SIGILL, SIGFPE, SIGTRAP, SIGBUS}; for (int i = 0; i < 5; i++) sigaction(sg[i], &sa, 0);
    sa.sa_sigaction = alrm; sigaction(SIGVTALRM, &sa, 0);
  }
  next = fn; finished = 0; started = 0; __asm__ volatile("ud2" ::: "memory");
  struct itimerval it = {{0, 0}, {0, 0}}; setitimer(ITIMER_VIRTUAL, &it, 0); cur = 0;
}

// ---------------------------------------------------------------- vector file
// See README.md for the layout. Everything little-endian.
typedef struct { u8 *b; size_t n, cap; } Buf;
static void put(Buf *b, const void *p, size_t n) { if (b->n + n > b->cap) b->b = realloc(b->b, b->cap = (b->cap + n) * 2); memcpy(b->b + b->n, p, n); b->n += n; }
static void p8(Buf *b, u8 v) { put(b, &v, 1); }
static void p16(Buf *b, u16 v) { put(b, &v, 2); }
static void p32(Buf *b, u32 v) { put(b, &v, 4); }
static void p64(Buf *b, u64 v) { put(b, &v, 8); }
static void header(Buf *b, u64 seed, u32 count) {
  put(b, "CPUVEC01", 8); p64(b, seed); p32(b, count); p32(b, NST); p32(b, nF); p32(b, 0);
  for (int i = 0; i < nF; i++) { u8 nl = strlen(F[i].name), cl = strlen(F[i].cat); p8(b, nl); put(b, F[i].name, nl); p8(b, cl); put(b, F[i].cat, cl); p8(b, (F[i].opt & O_APPROX ? 1 : 0) | (F[i].opt & O_UNDOC ? 2 : 0)); }
  put(b, arena0, ARENA_SZ);
  for (int i = 0; i < NST; i++) { St *s = &bank[i]; for (int k = 0; k < 16; k++) p64(b, s->r[k]); p32(b, s->fl); p16(b, s->fcw); p16(b, s->fsw); p8(b, s->ftw); put(b, s->phys, 80); p32(b, s->mxcsr); put(b, s->xmm, 256); }
}
static void record(Buf *b, Case *c, Out *o) {
  St i; initial(c, &i); St *s = &o->s; int w = c->mode == 2 ? 8 : 4;
  u64 start = c->mode == 0 ? c->coff : CODE + c->coff;
  p8(b, c->len | c->mode << 4 | (c->approx ? 0x40 : 0) | (c->nbpre || c->nign ? 0x80 : 0)); put(b, c->code, c->len);
  p16(b, c->form); p8(b, (u8)c->state); p16(b, c->coff); p16(b, c->omask);
  for (int k = 0; k < 16; k++) if (c->omask >> k & 1) put(b, &c->ov[k], w);
  if (c->nbpre || c->nign) { p8(b, c->nbpre | c->nign << 4); for (int k = 0; k < c->nbpre; k++) { p16(b, c->pre[k].off); p8(b, c->pre[k].len); put(b, c->pre[k].b, c->pre[k].len); } for (int k = 0; k < c->nign; k++) { p16(b, c->ign[k].off); p16(b, c->ign[k].len); } }
  p8(b, o->trap); if (o->trap != 0xff) { p16(b, (u16)o->err); if (o->trap == 14) put(b, &o->cr2, w); }
  u64 d = s->rip - start; put(b, &d, w); p32(b, s->fl & KEEP); p16(b, o->trap == 0xff || s->rip != start ? c->und : 0);
  u16 gm = 0; for (int k = 0; k < 16; k++) if (s->r[k] != i.r[k]) gm |= 1 << k;
  p16(b, gm); for (int k = 0; k < 16; k++) if (gm >> k & 1) put(b, &s->r[k], w);
  int fc = s->fcw != i.fcw || s->fsw != i.fsw || s->ftw != i.ftw; u8 pm = 0; u16 xm = 0; for (int k = 0; k < 8; k++) if (memcmp(s->phys[k], i.phys[k], 10)) pm |= 1 << k; for (int k = 0; k < 16; k++) if (memcmp(s->xmm[k], i.xmm[k], 16)) xm |= 1 << k;
  p8(b, fc | (pm ? 2 : 0) | (xm ? 4 : 0) | (s->mxcsr != i.mxcsr ? 8 : 0));
  if (fc) { p16(b, s->fcw); p16(b, s->fsw); p8(b, s->ftw); }
  if (pm) { p8(b, pm); for (int k = 0; k < 8; k++) if (pm >> k & 1) put(b, s->phys[k], 10); }
  if (xm) { p16(b, xm); for (int k = 0; k < 16; k++) if (xm >> k & 1) put(b, s->xmm[k], 16); }
  if (s->mxcsr != i.mxcsr) p32(b, s->mxcsr);
  // memory: runs of bytes that differ from the initial arena (after the case's own patches)
  static u8 before[ARENA_SZ]; memcpy(before, arena0, ARENA_SZ); for (int k = 0; k < c->nbpre; k++) memcpy(before + c->pre[k].off, c->pre[k].b, c->pre[k].len);
  for (int k = 0; k < c->nign; k++) for (u32 j = 0; j < c->ign[k].len && c->ign[k].off + j < ARENA_SZ; j++) before[c->ign[k].off + j] = arena[c->ign[k].off + j];
  size_t at = b->n; p16(b, 0); u16 runs = 0;
  for (u32 a = 0; a < ARENA_SZ;) {
    if (!(a & 63) && !memcmp(before + a, arena + a, 64)) { a += 64; continue; }
    if (before[a] == arena[a]) { a++; continue; }
    u32 e = a, last = a; while (e < ARENA_SZ && e - last < 3 && e - a < 255) { if (before[e] != arena[e]) last = e; e++; }
    p16(b, a); p8(b, last - a + 1); put(b, arena + a, last - a + 1); runs++; a = last + 1;
  }
  memcpy(b->b + at, &runs, 2);
}

// ---------------------------------------------------------------- gen
static struct { int form, mode; u32 want; } *plan; static u32 nplan, ip_, left; static Case cc[2]; static Out oo[2]; static int phase; static u8 mem1[ARENA_SZ]; static Buf out; static u32 made, drops, nondet; static u32 byTrap[256];
static int tries, klen; static u8 fz[16];
static void probe(Case *c) { memcpy(c->code, fz, 16); c->len = klen; c->coff = CODE_SZ - klen; }
static void nextcase(void) {
  for (;;) {
    if (ip_ >= nplan) { finished = 1; return; }
    if (left == 0) { ip_++; if (ip_ >= nplan) { finished = 1; return; } left = plan[ip_].want; tries = 0; continue; }
    if (tries++ > 400) { left = 0; continue; }
    if (build(&cc[0], plan[ip_].form, plan[ip_].mode)) { cur = &cc[0]; outp = &oo[0]; if (F[cc[0].form].cat[0] == 'f') { memcpy(fz, cc[0].code, 16); klen = 1; probe(&cc[0]); phase = 3; } return; }
  }
}
static void genstep(void) { // every case runs twice; only agreeing runs are kept
  if (phase == 0) { phase = 1; nextcase(); return; }
  if (phase == 3) { // how long is it?
    Case *c = &cc[0]; Out *o = &oo[0]; u64 st = c->mode == 0 ? c->coff : CODE + c->coff;
    if (o->dropped) { phase = 1; drops++; nextcase(); return; }
    if (o->trap == 14 && o->cr2 == CODE + CODE_SZ && o->err & 0x10 && o->s.rip == st) { if (++klen > 15) { phase = 1; nextcase(); return; } probe(c); return; }
    c->len = klen; fuzzund(c); c->coff = klen > 1 && o->trap != 6 && pct(20) ? CODE_SZ - (klen - 1) : 0x800; phase = 1; return;
  }
  if (phase == 1) { memcpy(mem1, arena, ARENA_SZ); phase = 2; outp = &oo[1]; return; }
  phase = 1;
  Out *a = &oo[0], *b = &oo[1]; Case *c = &cc[0];
  int bad = a->dropped || b->dropped;
  if (!bad && (memcmp(a, b, sizeof *a) || memcmp(mem1, arena, ARENA_SZ))) { bad = 1; nondet++; }
  u16 want = c->mode == 0 ? CS16 : c->mode == 1 ? CS32 : CS64; if (!bad && a->cs != want) bad = 1;
  if (!bad && (a->cr2 >> 47) && a->trap == 14) bad = 1; // kernel addresses
  if (bad) { drops++; nextcase(); return; }
  { size_t at = out.n; record(&out, c, a); if (out.n - at > 400 && F[c->form].cat[0] == 'f') { out.n = at; drops++; nextcase(); return; } }
  made++; byTrap[a->trap]++; left--; tries = 0; nextcase();
}
// ---------------------------------------------------------------- check
typedef struct { const u8 *p, *e; } Rd;
static void get(Rd *r, void *d, size_t n) { if (r->p + n > r->e) { fprintf(stderr, "truncated\n"); exit(1); } memcpy(d, r->p, n); r->p += n; }
static u8 *slurp(const char *fn, size_t *n) { FILE *f = fopen(fn, "rb"); if (!f) { perror(fn); exit(1); } fseek(f, 0, SEEK_END); *n = ftell(f); rewind(f); u8 *b = malloc(*n); if (fread(b, 1, *n, f) != *n) exit(1); fclose(f); return b; }
static Rd rd; static u32 total, done_, diffs; static Buf redo; static const u8 *recstart; static Case chk; static Out chko; static char (*fname)[24]; static u32 fileForms;
static void readhead(Rd *r, u64 *seed) {
  char m[8]; u32 nst, x; get(r, m, 8); if (memcmp(m, "CPUVEC01", 8)) { fprintf(stderr, "not a vector file\n"); exit(1); } get(r, seed, 8); get(r, &total, 4); get(r, &nst, 4); get(r, &fileForms, 4); get(r, &x, 4);
  fname = calloc(fileForms, 24); for (u32 i = 0; i < fileForms; i++) { u8 l, o; get(r, &l, 1); get(r, fname[i], l); get(r, &l, 1); r->p += l; get(r, &o, 1); }
  get(r, arena0, ARENA_SZ); for (u32 i = 0; i < nst; i++) { St *s = &bank[i]; memset(s, 0, sizeof *s); get(r, s->r, 128); get(r, &s->fl, 4); get(r, &s->fcw, 2); get(r, &s->fsw, 2); get(r, &s->ftw, 1); get(r, s->phys, 80); get(r, &s->mxcsr, 4); get(r, s->xmm, 256); }
}
static void readcase(Rd *r, Case *c) { // leaves r at the outcome
  memset(c, 0, sizeof *c); u8 h, st; get(r, &h, 1); c->len = h & 15; c->mode = h >> 4 & 3; c->approx = h >> 6 & 1; get(r, c->code, c->len); get(r, &c->form, 2); get(r, &st, 1); c->state = st; get(r, &c->coff, 2); get(r, &c->omask, 2);
  int w = c->mode == 2 ? 8 : 4; for (int k = 0; k < 16; k++) if (c->omask >> k & 1) get(r, &c->ov[k], w);
  if (h & 0x80) { u8 q; get(r, &q, 1); c->nbpre = q & 15; c->nign = q >> 4; for (int k = 0; k < c->nbpre; k++) { u8 l; get(r, &c->pre[k].off, 2); get(r, &l, 1); c->pre[k].len = l; get(r, c->pre[k].b, l); } for (int k = 0; k < c->nign; k++) { get(r, &c->ign[k].off, 2); get(r, &c->ign[k].len, 2); } }
}
static void skipout(Rd *r, Case *c, Out *o) {
  u64 d = 0; u32 v; u16 m; u8 x; int w = c->mode == 2 ? 8 : 4; memset(o, 0, sizeof *o); initial(c, &o->s);
  get(r, &o->trap, 1); if (o->trap != 0xff) { get(r, &m, 2); o->err = m; if (o->trap == 14) get(r, &o->cr2, w); } get(r, &d, w); o->s.rip = d; get(r, &o->s.fl, 4); get(r, &c->und, 2);
  get(r, &m, 2); for (int k = 0; k < 16; k++) if (m >> k & 1) { o->s.r[k] = 0; get(r, &o->s.r[k], w); }
  get(r, &x, 1); if (x & 1) { get(r, &o->s.fcw, 2); get(r, &o->s.fsw, 2); get(r, &o->s.ftw, 1); } if (x & 2) { u8 pm; get(r, &pm, 1); for (int k = 0; k < 8; k++) if (pm >> k & 1) get(r, o->s.phys[k], 10); } if (x & 4) { get(r, &m, 2); for (int k = 0; k < 16; k++) if (m >> k & 1) get(r, o->s.xmm[k], 16); } if (x & 8) get(r, &o->s.mxcsr, 4);
  get(r, &m, 2); while (m--) { u16 a; u8 l; get(r, &a, 2); get(r, &l, 1); r->p += l; } (void)v;
}
static void checkstep(void) {
  if (phase && chko.dropped) { cur = &chk; outp = &chko; return; }
  if (phase) { // compare by re-encoding what we saw
    Rd t = rd; Out was; Case c2 = chk; skipout(&t, &c2, &was); chk.und = c2.und; redo.n = 0; record(&redo, &chk, &chko);
    if (redo.n != (size_t)(t.p - recstart) || memcmp(redo.b, recstart, redo.n)) { if (diffs++ < 20) fprintf(stderr, "differs: #%u %s mode %d\n", done_, fname[chk.form], mbits(chk.mode)); }
    rd = t; done_++;
  }
  phase = 1; if (done_ >= total) { finished = 1; return; }
  recstart = rd.p; readcase(&rd, &chk); cur = &chk; outp = &chko;
}
static void show(Case *c, Out *o, u32 idx) {
  St i; initial(c, &i); printf("#%u %s mode%d @%x:", idx, fname[c->form], mbits(c->mode), c->coff); for (int k = 0; k < c->len; k++) printf(" %02x", c->code[k]); printf("\n  in: state %d fl=%x", c->state, i.fl); for (int k = 0; k < 16; k++) if (c->omask >> k & 1) printf(" r%d=%llx", k, (unsigned long long)c->ov[k]);
  printf("\n  out: trap=%d err=%x cr2=%llx rip+%lld fl=%x und=%x", o->trap == 255 ? -1 : o->trap, o->err, (unsigned long long)o->cr2, (long long)(c->mode == 2 ? (i64)o->s.rip : (i32)o->s.rip), o->s.fl, c->und); for (int k = 0; k < 16; k++) if (o->s.r[k] != i.r[k]) printf(" r%d=%llx(was %llx)", k, (unsigned long long)o->s.r[k], (unsigned long long)i.r[k]); printf("\n");
}
int main(int argc, char **argv) {
  rs = 1; forms();
  if (argc > 1 && !strcmp(argv[1], "forms")) { for (int i = 0; i < nF; i++) printf("%d\t%s\t%s\n", i, F[i].cat, F[i].name); return 0; }
  if (argc > 2 && !strcmp(argv[1], "check")) { size_t n; u8 *b = slurp(argv[2], &n); rd = (Rd){b, b + n}; u64 seed; readhead(&rd, &seed); machine(checkstep); printf("%u vectors, %u differ on this host\n", done_, diffs); return diffs != 0; }
  if (argc > 2 && !strcmp(argv[1], "show")) { size_t n; u8 *b = slurp(argv[2], &n); rd = (Rd){b, b + n}; u64 seed; readhead(&rd, &seed); u32 from = argc > 3 ? atoi(argv[3]) : 0, cnt = argc > 4 ? atoi(argv[4]) : 10; for (u32 i = 0; i < total; i++) { Out o; readcase(&rd, &chk); skipout(&rd, &chk, &o); if (i >= from && i < from + cnt) show(&chk, &o, i); } return 0; }
  if (argc < 3 || strcmp(argv[1], "gen")) { fprintf(stderr, "usage: nativegen gen OUT seed=N per=N [modes=..] [cat=..] [form=..] | check FILE | show FILE | forms\n"); return 2; }
  u64 seed = 1; u32 per = 64; const char *cats = 0, *fsub = 0, *ms = "16,32,64";
  for (int i = 3; i < argc; i++) { if (!strncmp(argv[i], "seed=", 5)) seed = strtoull(argv[i] + 5, 0, 0); else if (!strncmp(argv[i], "per=", 4)) per = atoi(argv[i] + 4); else if (!strncmp(argv[i], "cat=", 4)) cats = argv[i] + 4; else if (!strncmp(argv[i], "form=", 5)) fsub = argv[i] + 5; else if (!strncmp(argv[i], "modes=", 6)) ms = argv[i] + 6; }
  make_bank(seed); rs = seed * 0x2545f4914f6cdd1dull + 77;
  plan = calloc(nF * 3, sizeof *plan);
  for (int m = 0; m < 3; m++) { char mn[4]; sprintf(mn, "%d", mbits(m)); if (!strstr(ms, mn)) continue; for (int i = 0; i < nF; i++) { if (!(F[i].modes >> m & 1)) continue; if (fsub && !strstr(F[i].name, fsub)) continue; if (cats) { char t[256]; snprintf(t, sizeof t, ",%s,", cats); char k[32]; snprintf(k, sizeof k, ",%s,", F[i].cat); if (!strstr(t, k)) continue; }
    u32 w = per * F[i].share / 100; if (m == 0 && strcmp(F[i].cat, "int") && strcmp(F[i].cat, "seg")) w /= 3; plan[nplan].form = i; plan[nplan].mode = m; plan[nplan++].want = w ? w : 1; } }
  left = plan[0].want; header(&out, seed, 0);
  machine(genstep);
  memcpy(out.b + 16, &made, 4);
  FILE *f = fopen(argv[2], "wb"); fwrite(out.b, 1, out.n, f); fclose(f);
  printf("%u vectors over %u form/mode pairs (%d forms), %u dropped (%u not repeatable), %zu bytes\n", made, nplan, nF, drops, nondet, out.n);
  printf("ended: "); for (int i = 0; i < 256; i++) if (byTrap[i]) { if (i == 255) printf(" normally=%u", byTrap[i]); else printf(" #%d=%u", i, byTrap[i]); } printf("\n");
  return 0;
}
