/**
 * MMX, SSE and what came after, as rows of isa.mjs. Operands: V W an XMM register, the same or memory; P Q the same for MMX; the letters behind
 * them say what part is meant (x 128 bits, q 64, d 32, w 16, ss sd a scalar). All of them become one micro-operation whose helper looks at the opcode
 * (assembly/simd).
 */
const rows = [];
const add = (text) => rows.push(...text.trim().split('\n').map((line) => line.trim()).filter(Boolean));
const hex = (n) => n.toString(16).toUpperCase().padStart(2, '0');

/** MMX form without, SSE2 form with 66. */
const INTEGER = {
  60: 'punpcklbw', 61: 'punpcklwd', 62: 'punpckldq', 63: 'packsswb', 64: 'pcmpgtb', 65: 'pcmpgtw', 66: 'pcmpgtd', 67: 'packuswb',
  68: 'punpckhbw', 69: 'punpckhwd', '6A': 'punpckhdq', '6B': 'packssdw', 74: 'pcmpeqb', 75: 'pcmpeqw', 76: 'pcmpeqd',
  D1: 'psrlw', D2: 'psrld', D3: 'psrlq', D5: 'pmullw', D8: 'psubusb', D9: 'psubusw', DB: 'pand', DC: 'paddusb', DD: 'paddusw', DF: 'pandn',
  E1: 'psraw', E2: 'psrad', E5: 'pmulhw', E8: 'psubsb', E9: 'psubsw', EB: 'por', EC: 'paddsb', ED: 'paddsw', EF: 'pxor',
  F1: 'psllw', F2: 'pslld', F3: 'psllq', F5: 'pmaddwd', F8: 'psubb', F9: 'psubw', FA: 'psubd', FC: 'paddb', FD: 'paddw', FE: 'paddd',
};
/** The same, the MMX form of which came with SSE or SSE2. */
const LATER = {
  D4: ['paddq', 'sse2'], DA: ['pminub', 'sse'], DE: ['pmaxub', 'sse'], E0: ['pavgb', 'sse'], E3: ['pavgw', 'sse'], E4: ['pmulhuw', 'sse'],
  EA: ['pminsw', 'sse'], EE: ['pmaxsw', 'sse'], F4: ['pmuludq', 'sse2'], F6: ['psadbw', 'sse'], FB: ['psubq', 'sse2'],
};
/** These read half of their memory operand in the MMX form. */
const HALF = new Set(['punpcklbw', 'punpcklwd', 'punpckldq']);
for (const [opcode, name] of Object.entries(INTEGER)) add(`NP 0F ${opcode} ${name} Pq,${HALF.has(name) ? 'Qd' : 'Qq'} @mmx\n66 0F ${opcode} ${name} Vx,Wx @sse2`);
for (const [opcode, [name, feature]] of Object.entries(LATER)) add(`NP 0F ${opcode} ${name} Pq,Qq @${feature}\n66 0F ${opcode} ${name} Vx,Wx @sse2`);
['sqrt', 'add', 'mul', 'sub', 'min', 'div', 'max'].forEach((name) => {
  const opcode = { sqrt: '51', add: '58', mul: '59', sub: '5C', min: '5D', div: '5E', max: '5F' }[name];
  add(`
    NP 0F ${opcode} ${name}ps Vx,Wx @sse
    66 0F ${opcode} ${name}pd Vx,Wx @sse2
    F3 0F ${opcode} ${name}ss Vx,Wss @sse
    F2 0F ${opcode} ${name}sd Vx,Wsd @sse2
  `);
});
['pshufb', 'phaddw', 'phaddd', 'phaddsw', 'pmaddubsw', 'phsubw', 'phsubd', 'phsubsw', 'psignb', 'psignw', 'psignd', 'pmulhrsw'].forEach((name, i) => {
  add(`NP 0F 38 ${hex(i)} ${name} Pq,Qq @ssse3\n66 0F 38 ${hex(i)} ${name} Vx,Wx @ssse3`);
});
['pabsb', 'pabsw', 'pabsd'].forEach((name, i) => {
  add(`NP 0F 38 ${hex(0x1c + i)} ${name} Pq,Qq @ssse3\n66 0F 38 ${hex(0x1c + i)} ${name} Vx,Wx @ssse3`);
});
for (const [first, sign] of [[0x20, 's'], [0x30, 'z']]) {
  ['bw q', 'bd d', 'bq w', 'wd q', 'wq d', 'dq q'].forEach((text, i) => {
    const [name, part] = text.split(' ');
    add(`66 0F 38 ${hex(first + i)} pmov${sign}x${name} Vx,W${part} @sse41`);
  });
}
add(`
  NP 0F 10 movups Vx,Wx @sse
  66 0F 10 movupd Vx,Wx @sse2
  F3 0F 10 movss Vx,Wss @sse
  F2 0F 10 movsd Vx,Wsd @sse2
  NP 0F 11 movups Wx,Vx @sse
  66 0F 11 movupd Wx,Vx @sse2
  F3 0F 11 movss Wss,Vx @sse
  F2 0F 11 movsd Wsd,Vx @sse2
  NP 0F 12m movlps Vx,Wq @sse
  NP 0F 12r movhlps Vx,Wx @sse
  66 0F 12m movlpd Vx,Wq @sse2
  F3 0F 12 movsldup Vx,Wx @sse3
  F2 0F 12 movddup Vx,Wq @sse3
  NP 0F 13m movlps Wq,Vx @sse
  66 0F 13m movlpd Wq,Vx @sse2
  NP 0F 14 unpcklps Vx,Wx @sse
  66 0F 14 unpcklpd Vx,Wx @sse2
  NP 0F 15 unpckhps Vx,Wx @sse
  66 0F 15 unpckhpd Vx,Wx @sse2
  NP 0F 16m movhps Vx,Wq @sse
  NP 0F 16r movlhps Vx,Wx @sse
  66 0F 16m movhpd Vx,Wq @sse2
  F3 0F 16 movshdup Vx,Wx @sse3
  NP 0F 17m movhps Wq,Vx @sse
  66 0F 17m movhpd Wq,Vx @sse2
  NP 0F 28 movaps Vx,Wx @sse
  66 0F 28 movapd Vx,Wx @sse2
  NP 0F 29 movaps Wx,Vx @sse
  66 0F 29 movapd Wx,Vx @sse2
  NP 0F 2A cvtpi2ps Vx,Qq @sse
  66 0F 2A cvtpi2pd Vx,Qq @sse2
  F3 0F 2A cvtsi2ss Vx,Ey @sse
  F2 0F 2A cvtsi2sd Vx,Ey @sse2
  NP 0F 2Bm movntps Wx,Vx @sse
  66 0F 2Bm movntpd Wx,Vx @sse2
  NP 0F 2C cvttps2pi Pq,Wq @sse
  66 0F 2C cvttpd2pi Pq,Wx @sse2
  F3 0F 2C cvttss2si Gy,Wss @sse
  F2 0F 2C cvttsd2si Gy,Wsd @sse2
  NP 0F 2D cvtps2pi Pq,Wq @sse
  66 0F 2D cvtpd2pi Pq,Wx @sse2
  F3 0F 2D cvtss2si Gy,Wss @sse
  F2 0F 2D cvtsd2si Gy,Wsd @sse2
  NP 0F 2E ucomiss Vx,Wss @sse
  66 0F 2E ucomisd Vx,Wsd @sse2
  NP 0F 2F comiss Vx,Wss @sse
  66 0F 2F comisd Vx,Wsd @sse2
  NP 0F 50r movmskps Gy,Wx @sse
  66 0F 50r movmskpd Gy,Wx @sse2
  NP 0F 52 rsqrtps Vx,Wx @sse
  F3 0F 52 rsqrtss Vx,Wss @sse
  NP 0F 53 rcpps Vx,Wx @sse
  F3 0F 53 rcpss Vx,Wss @sse
  NP 0F 54 andps Vx,Wx @sse
  66 0F 54 andpd Vx,Wx @sse2
  NP 0F 55 andnps Vx,Wx @sse
  66 0F 55 andnpd Vx,Wx @sse2
  NP 0F 56 orps Vx,Wx @sse
  66 0F 56 orpd Vx,Wx @sse2
  NP 0F 57 xorps Vx,Wx @sse
  66 0F 57 xorpd Vx,Wx @sse2
  NP 0F 5A cvtps2pd Vx,Wq @sse2
  66 0F 5A cvtpd2ps Vx,Wx @sse2
  F3 0F 5A cvtss2sd Vx,Wss @sse2
  F2 0F 5A cvtsd2ss Vx,Wsd @sse2
  NP 0F 5B cvtdq2ps Vx,Wx @sse2
  66 0F 5B cvtps2dq Vx,Wx @sse2
  F3 0F 5B cvttps2dq Vx,Wx @sse2
  66 0F 6C punpcklqdq Vx,Wx @sse2
  66 0F 6D punpckhqdq Vx,Wx @sse2
  NP 0F 6E movd=movd|movd|movq Pq,Ey @mmx
  66 0F 6E movd=movd|movd|movq Vx,Ey @sse2
  NP 0F 6F movq Pq,Qq @mmx
  66 0F 6F movdqa Vx,Wx @sse2
  F3 0F 6F movdqu Vx,Wx @sse2
  NP 0F 70 pshufw Pq,Qq,Ib @sse
  66 0F 70 pshufd Vx,Wx,Ib @sse2
  F3 0F 70 pshufhw Vx,Wx,Ib @sse2
  F2 0F 70 pshuflw Vx,Wx,Ib @sse2
  NP 0F 71/2r psrlw Qq,Ib @mmx
  66 0F 71/2r psrlw Wx,Ib @sse2
  NP 0F 71/4r psraw Qq,Ib @mmx
  66 0F 71/4r psraw Wx,Ib @sse2
  NP 0F 71/6r psllw Qq,Ib @mmx
  66 0F 71/6r psllw Wx,Ib @sse2
  NP 0F 72/2r psrld Qq,Ib @mmx
  66 0F 72/2r psrld Wx,Ib @sse2
  NP 0F 72/4r psrad Qq,Ib @mmx
  66 0F 72/4r psrad Wx,Ib @sse2
  NP 0F 72/6r pslld Qq,Ib @mmx
  66 0F 72/6r pslld Wx,Ib @sse2
  NP 0F 73/2r psrlq Qq,Ib @mmx
  66 0F 73/2r psrlq Wx,Ib @sse2
  66 0F 73/3r psrldq Wx,Ib @sse2
  NP 0F 73/6r psllq Qq,Ib @mmx
  66 0F 73/6r psllq Wx,Ib @sse2
  66 0F 73/7r pslldq Wx,Ib @sse2
  NP 0F 77 emms @mmx
  66 0F 7C haddpd Vx,Wx @sse3
  F2 0F 7C haddps Vx,Wx @sse3
  66 0F 7D hsubpd Vx,Wx @sse3
  F2 0F 7D hsubps Vx,Wx @sse3
  NP 0F 7E movd=movd|movd|movq Ey,Pq @mmx
  66 0F 7E movd=movd|movd|movq Ey,Vx @sse2
  F3 0F 7E movq Vx,Wq @sse2
  NP 0F 7F movq Qq,Pq @mmx
  66 0F 7F movdqa Wx,Vx @sse2
  F3 0F 7F movdqu Wx,Vx @sse2
  NP 0F AE/0m fxsave=fxsave|fxsave|fxsave64 M @fxsr
  NP 0F AE/1m fxrstor=fxrstor|fxrstor|fxrstor64 M @fxsr
  F3 0F AE/0r rdfsbase Ey O @fsgsbase
  F3 0F AE/1r rdgsbase Ey O @fsgsbase
  F3 0F AE/2r wrfsbase Ey O @fsgsbase
  F3 0F AE/3r wrgsbase Ey O @fsgsbase
  NP 0F AE/4m xsave=xsave|xsave|xsave64 M @xsave
  NP 0F AE/5m xrstor=xrstor|xrstor|xrstor64 M @xsave
  NP 0F AE/6m xsaveopt=xsaveopt|xsaveopt|xsaveopt64 M @xsaveopt
  NP 0F 01/2r.0 xgetbv @xsave
  NP 0F 01/2r.1 xsetbv @xsave
  F3 0F C7/7r rdpid=:Rs Ey @rdpid
  NP 0F AE/2m ldmxcsr=:Md M @sse
  NP 0F AE/3m stmxcsr=:Md M @sse
  NP 0F C2 cmpps=cmp?ps Vx,Wx,Ib @sse
  66 0F C2 cmppd=cmp?pd Vx,Wx,Ib @sse2
  F3 0F C2 cmpss=cmp?ss Vx,Wss,Ib @sse
  F2 0F C2 cmpsd=cmp?sd Vx,Wsd,Ib @sse2
  NP 0F C4 pinsrw=:Pq,Edw,Ib Pq,Ed,Ib @sse
  66 0F C4 pinsrw=:Vx,Edw,Ib Vx,Ed,Ib @sse2
  NP 0F C5r pextrw=:Gd,Qq,Ib Gy,Qq,Ib @sse
  66 0F C5r pextrw=:Gd,Wx,Ib Gy,Wx,Ib @sse2
  NP 0F C6 shufps Vx,Wx,Ib @sse
  66 0F C6 shufpd Vx,Wx,Ib @sse2
  66 0F D0 addsubpd Vx,Wx @sse3
  F2 0F D0 addsubps Vx,Wx @sse3
  66 0F D6 movq Wq,Vx @sse2
  F3 0F D6r movq2dq Vx,Qq @sse2
  F2 0F D6r movdq2q Pq,Wx @sse2
  NP 0F D7r pmovmskb Gy,Qq @sse
  66 0F D7r pmovmskb Gy,Wx @sse2
  66 0F E6 cvttpd2dq Vx,Wx @sse2
  F3 0F E6 cvtdq2pd Vx,Wq @sse2
  F2 0F E6 cvtpd2dq Vx,Wx @sse2
  NP 0F E7m movntq Qq,Pq @sse
  66 0F E7m movntdq Wx,Vx @sse2
  F2 0F F0m lddqu=:Vx,M Vx,Wx @sse3
  NP 0F F7r maskmovq Pq,Qq @sse
  66 0F F7r maskmovdqu Vx,Wx @sse2
  66 0F 38 10 pblendvb=:Vx,Wx,xmm0 Vx,Wx @sse41
  66 0F 38 14 blendvps=:Vx,Wx,xmm0 Vx,Wx @sse41
  66 0F 38 15 blendvpd=:Vx,Wx,xmm0 Vx,Wx @sse41
  66 0F 38 17 ptest Vx,Wx @sse41
  66 0F 38 28 pmuldq Vx,Wx @sse41
  66 0F 38 29 pcmpeqq Vx,Wx @sse41
  66 0F 38 2Am movntdqa Vx,Wx @sse41
  66 0F 38 2B packusdw Vx,Wx @sse41
  66 0F 38 37 pcmpgtq Vx,Wx @sse42
  66 0F 38 38 pminsb Vx,Wx @sse41
  66 0F 38 39 pminsd Vx,Wx @sse41
  66 0F 38 3A pminuw Vx,Wx @sse41
  66 0F 38 3B pminud Vx,Wx @sse41
  66 0F 38 3C pmaxsb Vx,Wx @sse41
  66 0F 38 3D pmaxsd Vx,Wx @sse41
  66 0F 38 3E pmaxuw Vx,Wx @sse41
  66 0F 38 3F pmaxud Vx,Wx @sse41
  66 0F 38 40 pmulld Vx,Wx @sse41
  66 0F 38 41 phminposuw Vx,Wx @sse41
  66 0F 38 DB aesimc Vx,Wx @aes
  66 0F 38 DC aesenc Vx,Wx @aes
  66 0F 38 DD aesenclast Vx,Wx @aes
  66 0F 38 DE aesdec Vx,Wx @aes
  66 0F 38 DF aesdeclast Vx,Wx @aes
  NP 0F 38 F0m movbe=:Gv,Mv Gv,M @movbe
  66 0F 38 F0m movbe=:Gv,Mv Gv,M @movbe
  F2 0F 38 F0 crc32 Gy,Eb @sse42
  NP 0F 38 F1m movbe=:Mv,Gv M,Gv @movbe
  66 0F 38 F1m movbe=:Mv,Gv M,Gv @movbe
  F2 0F 38 F1 crc32 Gy,Ev @sse42
  66 0F 38 F6 adcx Gy,Ey @adx
  F3 0F 38 F6 adox Gy,Ey @adx
  VEX NP 0F 38 F2 andn=:Gy,By,Ey Gy,Ey @bmi1
  VEX NP 0F 38 F3/1 blsr=:By,Ey Ey @bmi1
  VEX NP 0F 38 F3/2 blsmsk=:By,Ey Ey @bmi1
  VEX NP 0F 38 F3/3 blsi=:By,Ey Ey @bmi1
  VEX NP 0F 38 F5 bzhi=:Gy,Ey,By Gy,Ey @bmi2
  VEX F3 0F 38 F5 pext=:Gy,By,Ey Gy,Ey @bmi2
  VEX F2 0F 38 F5 pdep=:Gy,By,Ey Gy,Ey @bmi2
  VEX F2 0F 38 F6 mulx=:Gy,By,Ey Gy,Ey @bmi2
  VEX NP 0F 38 F7 bextr=:Gy,Ey,By Gy,Ey @bmi1
  VEX 66 0F 38 F7 shlx=:Gy,Ey,By Gy,Ey @bmi2
  VEX F3 0F 38 F7 sarx=:Gy,Ey,By Gy,Ey @bmi2
  VEX F2 0F 38 F7 shrx=:Gy,Ey,By Gy,Ey @bmi2
  VEX F2 0F 3A F0 rorx Gy,Ey,Ib @bmi2
  66 0F 3A 08 roundps Vx,Wx,Ib @sse41
  66 0F 3A 09 roundpd Vx,Wx,Ib @sse41
  66 0F 3A 0A roundss Vx,Wss,Ib @sse41
  66 0F 3A 0B roundsd Vx,Wsd,Ib @sse41
  66 0F 3A 0C blendps Vx,Wx,Ib @sse41
  66 0F 3A 0D blendpd Vx,Wx,Ib @sse41
  66 0F 3A 0E pblendw Vx,Wx,Ib @sse41
  NP 0F 3A 0F palignr Pq,Qq,Ib @ssse3
  66 0F 3A 0F palignr Vx,Wx,Ib @ssse3
  66 0F 3A 14 pextrb=:Edb,Vx,Ib Ed,Vx,Ib @sse41
  66 0F 3A 15 pextrw=:Edw,Vx,Ib Ed,Vx,Ib @sse41
  66 0F 3A 16 pextrd=pextrd|pextrd|pextrq Ey,Vx,Ib @sse41
  66 0F 3A 17 extractps Ed,Vx,Ib @sse41
  66 0F 3A 20 pinsrb=:Vx,Edb,Ib Vx,Ed,Ib @sse41
  66 0F 3A 21 insertps Vx,Wss,Ib @sse41
  66 0F 3A 22 pinsrd=pinsrd|pinsrd|pinsrq Vx,Ey,Ib @sse41
  66 0F 3A 40 dpps Vx,Wx,Ib @sse41
  66 0F 3A 41 dppd Vx,Wx,Ib @sse41
  66 0F 3A 42 mpsadbw Vx,Wx,Ib @sse41
  66 0F 3A 44 pclmulqdq=pclmul?qdq Vx,Wx,Ib @pclmulqdq
  66 0F 3A 60 pcmpestrm=pcmpestrm|pcmpestrm|pcmpestrmq Vx,Wx,Ib @sse42
  66 0F 3A 61 pcmpestri=pcmpestri|pcmpestri|pcmpestriq Vx,Wx,Ib @sse42
  66 0F 3A 62 pcmpistrm Vx,Wx,Ib @sse42
  66 0F 3A 63 pcmpistri Vx,Wx,Ib @sse42
  66 0F 3A DF aeskeygenassist Vx,Wx,Ib @aes
`);

export const simdRows = rows;
/** Mnemonics of the rows, each once. */
export const simdNames = [...new Set(rows.map((row) => /^(?:VEX )?(?:(?:NP|66|F3|F2) )?(?:0F (?:38 |3A )?)[0-9A-F]{2}(?:\/\d)?[mr]?(?:\.\d)?\s+(\w+)/.exec(row)[1]))];
